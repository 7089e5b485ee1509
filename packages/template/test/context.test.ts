import { expect, test } from 'vitest';
import { contextOf, parseTemplate } from '../src/index.js';
import { event, messageOf } from './message.js';

const message = messageOf({ total: 5 });
const ofEvent = {
  id: event.id,
  type: 'order.created',
  occurred_at: '2026-11-23T10:00:00.123Z',
  namespace_id: 'shop',
  subject: { type: 'order', id: 'o1' },
  payload: { total: 5 },
  metadata: { total: 5 },
};

test('the context holds the event, the webhook and the delivery, and nothing else', () => {
  expect(contextOf(message)).toEqual({
    event_id: event.id,
    event_type: 'order.created',
    occurred_at: '2026-11-23T10:00:00.123Z',
    namespace_id: 'shop',
    subject: { type: 'order', id: 'o1' },
    metadata: { total: 5 },
    event: ofEvent,
    webhook: { id: 'wh_abcdefghij', name: 'Orders <to> warehouse' },
    delivery: { id: message.deliveryId, attempt: 2 },
  });
});

test('the cache scope of an event is parsed', () => {
  const scoped = { ...message, event: { ...message.event, cacheScope: '{"a":1}' } };
  expect(contextOf(scoped)).toMatchObject({ cache_scope: { a: 1 } });
});

test('a digest has all its events, and its other fields describe the first', () => {
  const digest = [
    { event: message.event, payload: { total: 5 } },
    { event: { ...message.event, id: 'evt_2', type: 'order.paid' }, payload: null },
  ];
  const context = contextOf({ ...message, digest });
  expect(context.events).toEqual([
    ofEvent,
    { ...ofEvent, id: 'evt_2', type: 'order.paid', payload: null, metadata: null },
  ]);
  expect(context.event_id).toBe(event.id);
  const listed = parseTemplate('{% for event in events %}{{ event.type }} {% endfor %}', 'plain');
  expect(listed.render(context)).toBe('order.created order.paid ');
});

test.each([
  'endpoint.secret',
  'webhook.secret',
  'webhook.secrets',
  'webhook.tenantId',
  'headers.Authorization',
  'configs',
  'configs.headers.authorization',
  'secrets',
  'secrets[0]',
  'env',
  'process.env.PATH',
  'globalThis',
])('T24: {{ %s }} is not in the context and renders to an empty text', (path) => {
  expect(parseTemplate(`[{{ ${path} }}]`, 'plain').render(contextOf(message))).toBe('[]');
});

test('T24: the context contains no secret in any spelling', () => {
  expect(JSON.stringify(contextOf(message))).not.toContain('canary');
});
