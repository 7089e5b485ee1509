import { type Channel, functionChannel, isPosthornError } from '@posthorn/core';
import { failed, gone, type Message, rejected } from '@posthorn/core/channel';
import { type TestDispatcher, testDispatcher, until } from '@posthorn/testing';
import { type } from 'arktype';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';

/** Creates an engine with one webhook on `channel`, dispatches one event, and returns its delivery. */
async function dispatched<Configs>(channel: Channel<Configs>, configs: unknown = {}) {
  const posthorn: TestDispatcher = testDispatcher({
    channels: [channel],
    retry: { schedule: ['1m'], jitter: 0 },
  });
  await posthorn.webhooks.create({
    name: 'index',
    eventTypes: ['*'],
    channels: [{ channel: channel.type, configs }],
  });
  await posthorn.dispatch('order.placed', { orderId: 'o1' });
  await posthorn.drain();
  const outcome = async () => {
    const { items } = await posthorn.deliveries.list();
    return { delivery: items[0]!, attempts: await posthorn.deliveries.attempts(items[0]!.id) };
  };
  return { posthorn, outcome };
}

describe('a function as a channel', () => {
  test('gets the event, and delivers it by returning', async () => {
    const seen: Message[] = [];
    const { outcome } = await dispatched(functionChannel('index', (message) => void seen.push(message)));
    expect(seen).toMatchObject([
      { attempt: 1, payload: { orderId: 'o1' }, configs: {}, event: { type: 'order.placed' } },
    ]);
    expect(await outcome()).toMatchObject({
      delivery: { channel: 'index', status: 'delivered' },
      attempts: [{ outcome: 'delivered', kind: null }],
    });
  });

  test('fails by throwing, and is called again when the retry is due', async () => {
    let calls = 0;
    const channel = functionChannel('index', async () => {
      if (++calls === 1) throw new RangeError('index is read-only');
    });
    const { posthorn, outcome } = await dispatched(channel);
    expect((await outcome()).delivery.status).toBe('pending');
    await posthorn.advance('1m');
    expect(await outcome()).toMatchObject({
      delivery: { status: 'delivered' },
      attempts: [
        { outcome: 'failed', kind: 'channel_error', message: 'RangeError: index is read-only' },
        { outcome: 'delivered' },
      ],
    });
  });

  test.each([
    ['failed', failed('refused', 'not now'), 'pending'],
    ['rejected', rejected('config', 'never'), 'dead'],
    ['gone', gone('http_status', 'closed'), 'dead'],
  ])('may return a verdict: %s', async (_, verdict, status) => {
    const { outcome } = await dispatched(functionChannel('index', () => verdict));
    expect(await outcome()).toMatchObject({ delivery: { status }, attempts: [verdict] });
  });

  test.each([
    ['a number', 1],
    ['the result of its work', new Set(['o1'])],
    ['an unknown outcome', { outcome: 'indexed' }],
    ['an object without a prototype', Object.create(null)],
  ])('has delivered the event where it returns anything but a verdict: %s', async (_, returned) => {
    const { outcome } = await dispatched(functionChannel('index', () => returned));
    expect(await outcome()).toMatchObject({
      delivery: { status: 'delivered' },
      attempts: [{ outcome: 'delivered' }],
    });
  });

  test('fails where it returns an invalid verdict', async () => {
    const { outcome } = await dispatched(functionChannel('index', () => ({ outcome: 'rejected' })));
    expect(await outcome()).toMatchObject({
      delivery: { status: 'pending' },
      attempts: [{ kind: 'channel_error', message: 'it returned an object that is no verdict' }],
    });
  });

  test('that does not return is abandoned at its deadline, and its signal is aborted', async () => {
    let signal: AbortSignal | undefined;
    const channel = functionChannel(
      'index',
      (_, given) => {
        signal = given;
        return new Promise<void>(() => {});
      },
      { deadlineMs: () => 20 },
    );
    const { outcome } = await dispatched(channel);
    await until(() => signal?.aborted);
    expect(await outcome()).toMatchObject({
      attempts: [{ kind: 'timeout', message: 'no result within 20 ms' }],
    });
  });

  test('gets configs as its schema, of any library, outputs them', async () => {
    const seen: unknown[] = [];
    const sized = functionChannel(
      'index',
      ({ configs }) => {
        expectTypeOf(configs).toEqualTypeOf<{ shards: number }>();
        seen.push(configs);
      },
      { config: z.strictObject({ shards: z.number().default(2) }) },
    );
    await dispatched(sized);
    const named = functionChannel('index', ({ configs }) => void seen.push(configs.name), {
      config: type({ name: 'string' }),
    });
    await dispatched(named, { name: 'orders' });
    expect(seen).toEqual([{ shards: 2 }, 'orders']);
  });
});

describe('without a schema', () => {
  const { config } = functionChannel('index', () => {});
  const judge = async (configs: unknown) => config['~standard'].validate(configs);

  test('a binding has empty configs', async () => {
    expect(await judge({})).toEqual({ value: {} });
  });

  test.each([null, undefined, 'canary', 1, true, []])(
    'refuses configs that are not an object: %j',
    async (configs) => {
      const { issues } = await judge(configs);
      expect(issues).toEqual([{ message: expect.stringMatching(/^must be an object, not /) }]);
      expect(JSON.stringify(issues)).not.toContain('canary');
    },
  );

  test.each(['{"tpyo":"canary"}', '{"__proto__":"canary"}'])(
    'refuses configs with a field, and names it: %s',
    async (json) => {
      const { issues } = await judge(JSON.parse(json));
      expect(issues).toEqual([
        { path: [Object.keys(JSON.parse(json))[0]], message: 'unknown field: this channel has no configs' },
      ]);
    },
  );
});

describe('options', () => {
  test.each<[string, unknown[]]>([
    ['name', ['', () => {}]],
    ['name', [undefined, () => {}]],
    ['handler', ['index', undefined]],
    ['handler', ['index', 'f']],
    ['deadline', ['index', () => {}, { deadline: 5 }]],
    ['send', ['index', () => {}, { send: () => {} }]],
    ['functionChannel', ['index', () => {}, null]],
  ])('an invalid %s is refused, and the error names it', (name, given) => {
    const make = () => (functionChannel as (...given: unknown[]) => unknown)(...given);
    expect(make).toThrow(
      expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(name) }),
    );
    expect(make).toThrow(expect.toSatisfy(isPosthornError));
  });
});
