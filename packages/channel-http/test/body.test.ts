import type { WebhookEvent } from '@posthorn/core';
import { HTTP } from 'cloudevents';
import { describe, expect, test } from 'vitest';
import type { HttpFormat } from '../src/index.js';
import { event, message, sender } from './message.js';
import { type Received, receiver } from './receiver.js';

const full: WebhookEvent = {
  ...event,
  namespaceId: 'ns "1"',
  subject: { type: 'order', id: 'o/1 é' },
  cacheScope: '{"z":1.50,"a":[]}',
};

async function received(format: HttpFormat, sent: WebhookEvent, source?: string): Promise<Received> {
  const { url, received: all } = await receiver();
  const verdict = await sender({ format, ...(source ? { source } : {}) })(message({ url }, { event: sent }));
  expect(verdict).toMatchObject({ outcome: 'delivered', status: 204 });
  expect(all).toHaveLength(1);
  return all[0]!;
}

describe('the default body contains the fields', () => {
  test('of a minimal event', async () => {
    const { body, headers, method } = await received('default', event);
    expect(method).toBe('POST');
    expect(headers['content-type']).toBe('application/json');
    expect(headers['user-agent']).toBe('Posthorn');
    expect(body).toBe(
      '{"event_id":"evt_0TvKq1aBcDeFgHiJkLmNoP","event_type":"order.created",' +
        '"occurred_at":"2026-11-23T10:00:00.123Z","namespace_id":null,"subject":null,"metadata":{"b":1,"a":1.10}}',
    );
  });

  test('of an event with all fields', async () => {
    const { body } = await received('default', full);
    expect(body).toBe(
      '{"event_id":"evt_0TvKq1aBcDeFgHiJkLmNoP","event_type":"order.created",' +
        '"occurred_at":"2026-11-23T10:00:00.123Z","namespace_id":"ns \\"1\\"",' +
        '"subject":{"type":"order","id":"o/1 é"},"metadata":{"b":1,"a":1.10},"cache_scope":{"z":1.50,"a":[]}}',
    );
  });
});

test('the default body contains an empty cache scope', async () => {
  const { body } = await received('default', { ...event, cacheScope: '{}' });
  expect(body).toMatch(/"metadata":\{"b":1,"a":1\.10\},"cache_scope":\{\}\}$/);
});

test('the body of Standard Webhooks has a type, a timestamp and data', async () => {
  const { body, headers } = await received('standard-webhooks', full);
  expect(headers['content-type']).toBe('application/json');
  expect(body).toBe(
    '{"type":"order.created","timestamp":"2026-11-23T10:00:00.123Z","data":{"b":1,"a":1.10}}',
  );
});

describe('payloads are sent byte for byte', () => {
  const formats: [HttpFormat, (payload: string) => string][] = [
    ['default', (payload) => `"metadata":${payload}}`],
    ['standard-webhooks', (payload) => `"data":${payload}}`],
    ['cloudevents', (payload) => `"data":${payload}}`],
    ['cloudevents-binary', (payload) => payload],
  ];
  const payloads = [
    '{"b":1,"a":2,"10":3,"2":4}',
    '{"price":1.10,"zero":-0,"huge":1e400,"id":12345678901234567890}',
    '{"a":1,"a":2}',
    '{"text":"é 日本 🎺","escaped":"\\u00e9\\ud83c\\udfba\\u0000"}',
    '{ "spaced" :\n [ ] }',
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"x":1}}}',
    'null',
    'false',
    '0',
    '""',
    '"{{ event_id }} #{1+1}"',
  ];
  test.each(formats)('as %s', async (format, end) => {
    const { url, received: all } = await receiver();
    const send = sender({ format });
    for (const payload of payloads) {
      await send(message({ url }, { event: { ...event, payload } }));
      const { bytes } = all.at(-1)!;
      expect(bytes.subarray(-Buffer.byteLength(end(payload))).toString()).toBe(end(payload));
      expect(bytes.length).toBe(Number(all.at(-1)!.headers['content-length']));
    }
    expect({}).not.toHaveProperty('polluted');
  });
});

describe('the body of CloudEvents', () => {
  test('contains all attributes in structured mode', async () => {
    const { body, headers } = await received('cloudevents', full, '/orders?x=1');
    expect(headers['content-type']).toBe('application/cloudevents+json');
    expect(body).toBe(
      '{"specversion":"1.0","id":"evt_0TvKq1aBcDeFgHiJkLmNoP","source":"/orders?x=1","type":"order.created",' +
        '"time":"2026-11-23T10:00:00.123Z","subject":"order/o/1 é","namespaceid":"ns \\"1\\"",' +
        '"datacontenttype":"application/json","data":{"b":1,"a":1.10}}',
    );
  });

  test('omits missing attributes in structured mode', async () => {
    const { body } = await received('cloudevents', event);
    expect(body).toBe(
      '{"specversion":"1.0","id":"evt_0TvKq1aBcDeFgHiJkLmNoP","source":"posthorn","type":"order.created",' +
        '"time":"2026-11-23T10:00:00.123Z","datacontenttype":"application/json","data":{"b":1,"a":1.10}}',
    );
  });

  test('is the payload in binary mode, with the attributes in headers', async () => {
    const { body, headers } = await received('cloudevents-binary', full, '/orders?x=1');
    expect(body).toBe('{"b":1,"a":1.10}');
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-id': event.id,
      'ce-source': '/orders?x=1',
      'ce-type': 'order.created',
      'ce-time': '2026-11-23T10:00:00.123Z',
      'ce-subject': 'order/o/1%20%C3%A9',
      'ce-namespaceid': 'ns%20%221%22',
    });
  });

  test('has percent signs escaped and emojis as four bytes in the attributes of binary mode', async () => {
    const subject = { type: 'a', id: '100%~🎺' };
    const { headers } = await received('cloudevents-binary', { ...event, subject });
    expect(headers['ce-subject']).toBe('a/100%25~%F0%9F%8E%BA');
    expect(headers).not.toHaveProperty('ce-namespaceid');
  });

  test.each<HttpFormat>(['cloudevents', 'cloudevents-binary'])(
    '%s is read by the npm package',
    async (format) => {
      const subject = { type: 'order', id: 'o1' };
      const { body, headers } = await received(format, { ...event, subject, namespaceId: 'ns1' });
      const read = HTTP.toEvent({ headers, body });
      expect(read).toMatchObject({
        id: event.id,
        source: 'posthorn',
        type: 'order.created',
        specversion: '1.0',
        subject: 'order/o1',
        time: '2026-11-23T10:00:00.123Z',
        datacontenttype: expect.stringContaining('application/json'),
        namespaceid: 'ns1',
        data: { b: 1, a: 1.1 },
      });
    },
  );
});

test('a body of a payload template keeps the spelling of the numbers of the event', async () => {
  const { url, received: all } = await receiver();
  const payload_template = {
    id: '{{ metadata.account }}',
    note: 'owes {{ metadata.owed }}',
    of: '{{ metadata }}',
  };
  const sent = { ...event, payload: '{"account":9007199254740993,"owed":42.00}' };
  await sender()(message({ url, payload_template }, { event: sent }));
  expect(all[0]!.body).toBe(`{"id":9007199254740993,"note":"owes 42.00","of":${sent.payload}}`);
});
