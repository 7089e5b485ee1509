import { type ErrorCode, rawJson } from '@posthorn/core';
import { recordingChannel, testDispatcher } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';

const refused = (code: ErrorCode): unknown => expect.objectContaining({ name: 'PosthornError', code });

async function application(options: { maxPayloadBytes?: number; maxPayloadDepth?: number } = {}) {
  const channel = recordingChannel();
  const dispatcher = testDispatcher({ channels: [channel], ...options });
  await dispatcher.webhooks.create({
    name: 'all',
    eventTypes: ['*'],
    channels: [{ channel: 'webhook', configs: {} }],
  });
  const sent = async (payload: unknown): Promise<string | undefined> => {
    await dispatcher.dispatch('object.created', payload);
    await dispatcher.drain();
    return channel.deliveries.at(-1)?.message.event.payload;
  };
  return { dispatcher, channel, sent };
}

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('the payload is kept as given', () => {
  test.each([
    ['key order', '{"b":1,"a":2}'],
    ['number spelling', '{"n":1.10,"big":12345678901234567890,"exp":1e400,"zero":-0}'],
    ['duplicate keys', '{"a":1,"a":2}'],
    ['white space', ' {\n "a" : 1 } '],
    ['unicode of every length', '{"é":"日本🎺","combining":"e\u0301"}'],
    ['escapes', '{"nul":"\\u0000","lone":"\\ud800","slash":"\\/"}'],
    ['64 levels of both kinds', `${'[{"a":'.repeat(32)}1${'}]'.repeat(32)}`],
    ['a thousand brackets side by side', `[${'{"a":[]},'.repeat(999)}{}]`],
    ['names of prototypes', '{"__proto__":{"polluted":1},"constructor":{"prototype":{"x":1}}}'],
  ])('%s, as JSON text', async (_, text) => {
    const { sent } = await application();
    expect(await sent(rawJson(text))).toBe(text);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test.each([[null], [false], [0], [''], ['text'], [[]], [{}], [{ b: 1, a: 'ü' }]])(
    '%j, as a value',
    async (value) => {
      const { sent, channel } = await application();
      expect(await sent(value)).toBe(JSON.stringify(value));
      expect(channel.deliveries[0]?.payload).toEqual(value);
    },
  );

  test('P14: bytes are UTF-8, or refused', async () => {
    const { sent } = await application();
    expect(await sent(rawJson(Buffer.from('{"é":1}')))).toBe('{"é":1}');
    expect(() => rawJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow(refused('invalid_payload'));
    expect(() => rawJson('"\ud800"')).toThrow(refused('invalid_payload'));
    expect(() => rawJson(7 as never)).toThrow(refused('invalid_payload'));
  });

  test('P12: a value is read once, when it is dispatched', async () => {
    const { dispatcher, channel } = await application();
    let reads = 0;
    const payload = {
      get value() {
        reads++;
        return reads;
      },
    };
    await dispatcher.dispatch('object.created', payload);
    await dispatcher.drain();
    expect(reads).toBe(1);
    expect(channel.deliveries[0]?.payload).toEqual({ value: 1 });
  });
});

describe('P11: what is no payload is refused, and nothing is stored', () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  const throwing = {
    toJSON() {
      throw new Error('no');
    },
  };
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = [deep];

  test.each<[string, unknown, ErrorCode]>([
    ['undefined', undefined, 'invalid_payload'],
    ['a function', () => 1, 'invalid_payload'],
    ['a symbol', Symbol('s'), 'invalid_payload'],
    ['a BigInt', { n: 1n }, 'invalid_payload'],
    ['a circle', circle, 'invalid_payload'],
    ['a toJSON that throws', throwing, 'invalid_payload'],
    ['text that is no JSON', rawJson('{a:1}'), 'invalid_payload'],
    ['empty text', rawJson(''), 'invalid_payload'],
    ['text with a byte order mark', rawJson('\ufeff{}'), 'invalid_payload'],
    ['65 levels', JSON.parse(nested(65)), 'payload_too_deep'],
    ['65 levels of both kinds', rawJson(`${'[{"a":'.repeat(32)}[]${'}]'.repeat(32)}`), 'payload_too_deep'],
    ['100,000 levels', deep, 'payload_too_deep'],
    ['100,000 levels of text', rawJson(nested(100_000)), 'payload_too_deep'],
    ['a byte too many', 'x'.repeat(256 * 1024 - 1), 'payload_too_large'],
    ['bytes too many in few characters', '日'.repeat(100 * 1024), 'payload_too_large'],
  ])('%s', async (_, payload, code) => {
    const { dispatcher } = await application();
    await expect(dispatcher.dispatch('object.created', payload)).rejects.toEqual(refused(code));
    expect((await dispatcher.events.list()).items).toEqual([]);
  });

  test('the limits are those of the dispatcher, and what just fits goes through', async () => {
    const { sent, dispatcher } = await application({ maxPayloadBytes: 10, maxPayloadDepth: 2 });
    expect(await sent('12345678')).toBe('"12345678"');
    expect(await sent([[]])).toBe('[[]]');
    await expect(dispatcher.dispatch('a', '123456789')).rejects.toEqual(refused('payload_too_large'));
    await expect(dispatcher.dispatch('a', [[[]]])).rejects.toEqual(refused('payload_too_deep'));
  });

  test('brackets inside strings are not depth', async () => {
    const { sent } = await application();
    const text = JSON.stringify({ text: `${'['.repeat(500)}"\\${'{'.repeat(500)}` });
    expect(await sent(rawJson(text))).toBe(text);
  });

  test('as many keys as the limit allows block the event loop for less than 200 ms', async () => {
    const { dispatcher } = await application();
    const text = rawJson(`{${Array.from({ length: 25_000 }, (_, i) => `"${i}":0`).join(',')}}`);
    const begin = performance.now();
    await dispatcher.dispatch('object.created', text);
    expect(performance.now() - begin).toBeLessThan(200);
  });
});
