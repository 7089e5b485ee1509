import type { WebhookEvent } from '@posthorn/core';
import { expect, test } from 'vitest';
import { bodyOf, bodyWriters } from '../src/body.js';
import { SharedBody, type WrittenBody, writtenBody } from '../src/shared-body.js';

const event: WebhookEvent = {
  id: 'evt_0VboZYV4VbCm0NPWAF1C3F',
  tenantId: 'default',
  type: 'object.created',
  payload: '{"name":"Žofie 🎺","n":1}',
  occurredAt: new Date('2026-01-02T03:04:05.678Z'),
  namespaceId: 'space',
  subject: { type: 'object', id: '7' },
  cacheScope: '{"a":1}',
  orderingKey: null,
};

const others: Readonly<Record<string, Partial<WebhookEvent>>> = {
  'another id': { id: 'evt_0VboZYV4VbCm0NPWAF1C3G' },
  'another type': { type: 'object.updated' },
  'another time': { occurredAt: new Date('2026-01-02T03:04:05.679Z') },
  'another namespace': { namespaceId: null },
  'another subject': { subject: { type: 'object', id: '8' } },
  'another type of subject': { subject: { type: 'thing', id: '7' } },
  'no subject': { subject: null },
  'another payload': { payload: '{"name":"Žofie 🎺","n":2}' },
  'another cache scope': { cacheScope: null },
};

const writers = bodyWriters('source');
const formats = Object.keys(writers) as (keyof typeof writers)[];
const bodyIn =
  (format: (typeof formats)[number]) =>
  (of: WebhookEvent): WrittenBody =>
    writtenBody(bodyOf({ event: of } as Parameters<typeof bodyOf>[0], writers[format]));

test.each(formats)('the bytes of a body in the format %s encode its text', (format) => {
  const shared = new SharedBody();
  for (const each of [event, ...Object.values(others).map((other) => ({ ...event, ...other }))]) {
    const { body, bytes } = shared.of(each, () => bodyIn(format)(each));
    expect(bytes.toString()).toBe(body.pieces.join(''));
    expect(bytes.toString()).toContain(each.payload);
  }
});

test('deliveries of one event share one body, even with different event objects', () => {
  const shared = new SharedBody();
  const write = bodyIn('default');
  const first = shared.of(event, () => write(event));
  const copy = { ...event, occurredAt: new Date(event.occurredAt), subject: { type: 'object', id: '7' } };
  expect(shared.of(copy, () => write(copy)).bytes).toBe(first.bytes);
});

test.each(Object.entries(others))('an event with %s has a body of its own', (_, other) => {
  const shared = new SharedBody();
  const write = bodyIn('default');
  const different = { ...event, ...other };
  shared.of(event, () => write(event));
  const { bytes } = shared.of(different, () => write(different));
  expect(bytes.toString()).toBe(write(different).body.pieces.join(''));
  expect(shared.of(event, () => write(event)).bytes.toString()).toBe(write(event).body.pieces.join(''));
});
