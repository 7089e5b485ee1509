import { runInNewContext } from 'node:vm';
import { type ErrorCode, type PosthornError, rawJson } from '@posthorn/core';
import { cpuMs, recordingChannel, testDispatcher } from '@posthorn/testing';
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

describe('the payload is sent as it was given', () => {
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

describe('P11: an invalid payload is refused, and nothing is stored', () => {
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
    ['text that is not JSON', rawJson('{a:1}'), 'invalid_payload'],
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

  test('the limits are those of the dispatcher, and a payload at the limit is accepted', async () => {
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
    expect(await cpuMs(() => dispatcher.dispatch('object.created', text))).toBeLessThan(200);
  });
});

describe('a value that JSON would lose silently is refused, with its place', () => {
  class Money {
    #cents = 100;
    get cents(): number {
      return this.#cents;
    }
  }
  const circle: { a: { b: unknown } } = { a: { b: 1 } };
  circle.a.b = [circle.a];
  const sparse: number[] = [1];
  sparse[2] = 3;

  test.each<[string, unknown, (string | number)[]]>([
    ['a Map', { a: { b: new Map([['k', 1]]) } }, ['a', 'b']],
    ['a Set', [0, { tags: new Set(['x']) }], [1, 'tags']],
    ['NaN', { total: Number.NaN }, ['total']],
    ['Infinity', { items: [{ price: Number.POSITIVE_INFINITY }] }, ['items', 0, 'price']],
    ['a boxed NaN', { total: Object(Number.NaN) }, ['total']],
    ['an error', { cause: Object.assign(new Error('no'), { code: 'E' }) }, ['cause']],
    ['an instance without fields', { price: new Money() }, ['price']],
    ['a regular expression', { form: /a/ }, ['form']],
    ['a promise', { later: Promise.resolve(1) }, ['later']],
    ['bytes that are not a Buffer', { bytes: new Uint8Array(2) }, ['bytes']],
    ['a buffer of bytes', { bytes: new ArrayBuffer(2) }, ['bytes']],
    ['a BigInt', { deep: [{ n: 1n }] }, ['deep', 0, 'n']],
    ['a boxed BigInt', { n: Object(1n) }, ['n']],
    ['a symbol', { s: Symbol('s') }, ['s']],
    ['a function', { run: () => 1 }, ['run']],
    ['undefined in an array', { list: [1, undefined] }, ['list', 1]],
    ['a hole in an array', { list: sparse }, ['list', 1]],
    ['an invalid Date', { at: new Date(Number.NaN) }, ['at']],
    ['a circle', circle, ['a', 'b', 0]],
    ['rawJson within a payload', { n: rawJson('1.10') }, ['n']],
    ['what a toJSON returns', { a: { toJSON: () => ({ n: Number.NaN }) } }, ['a', 'n']],
    ['a field of an instance', { a: Object.assign(new Money(), { n: Number.NaN }) }, ['a', 'n']],
    [
      'what follows deep nesting',
      [
        [[1], [2]],
        [[3], [Number.NaN]],
      ],
      [1, 1, 0],
    ],
    ['a Map alone', new Map([['k', 1]]), []],
    ['NaN alone', Number.NaN, []],
  ])('%s', async (_, payload, path) => {
    const { dispatcher } = await application();
    const error = await dispatcher.dispatch('object.created', payload).catch((thrown: unknown) => thrown);
    expect(error).toEqual(refused('invalid_payload'));
    expect((error as PosthornError).issues).toMatchObject([{ path }]);
    if (path.length > 0) expect((error as PosthornError).message).toContain(`${path.join('.')}: must`);
    expect((await dispatcher.events.list()).items).toEqual([]);
  });

  test('and so is one in cacheScope', async () => {
    const { dispatcher } = await application();
    const cacheScope = { keys: [new Set(['a'])] };
    await expect(dispatcher.dispatch('object.created', {}, { cacheScope })).rejects.toMatchObject({
      code: 'invalid_payload',
      message: expect.stringContaining('cacheScope is not valid: keys.0: must not be a Set'),
    });
  });

  test('more objects than fit are refused before all are written, even where each is the same object', async () => {
    const { dispatcher } = await application();
    let doubled: unknown = [];
    for (let i = 0; i < 60; i++) doubled = [doubled, doubled];
    await expect(dispatcher.dispatch('a', doubled)).rejects.toEqual(refused('payload_too_large'));
  });
});

const circleFree = { a: [1] };

describe('other values are written as JSON.stringify writes them', () => {
  class Order {
    readonly total = 1;
    readonly #secret = 'x';
    get secret(): string {
      return this.#secret;
    }
  }

  test.each<[string, unknown]>([
    ['a Date', { at: new Date(0), list: [new Date(1)] }],
    ['toJSON', { amount: { toJSON: () => '1.10' }, url: new URL('https://example.com/') }],
    ['a Buffer', { bytes: Buffer.from('a') }],
    ['fields that are undefined', { a: undefined, b: [{ c: undefined }], d: 1 }],
    ['boxed values', { n: Object(1), s: Object('s'), b: Object(false) }],
    ['the enumerable fields of an instance', { order: new Order() }],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 })],
    ['a plain object of another realm', runInNewContext('({ a: {}, list: [{}], at: new Date(0) })')],
    ['an object that occurs twice', [circleFree, circleFree]],
    ['a field called __proto__', JSON.parse('{"__proto__":{"a":1},"b":[{"__proto__":null}]}')],
    ['a field called toJSON that is not a function', { toJSON: 1, a: [Object(2)] }],
    ['keys that are numbers, in their order', { 2: 'b', 1: 'a', c: new Date(0) }],
    ['symbols as keys, which it leaves out', { [Symbol('s')]: 1, a: 1 }],
  ])('%s', async (_, payload) => {
    const { sent } = await application();
    expect(await sent(payload)).toBe(JSON.stringify(payload));
  });

  test('and a getter is read once, whatever else the payload contains', async () => {
    const { sent } = await application();
    let reads = 0;
    const payload = {
      at: new Date(0),
      get value() {
        return { n: ++reads };
      },
    };
    expect(await sent([payload])).toBe('[{"at":"1970-01-01T00:00:00.000Z","value":{"n":1}}]');
  });
});
