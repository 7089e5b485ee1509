import { recordingChannel, testDispatcher } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';

const webhook = { name: 'all', eventTypes: ['*'], channels: [{ channel: 'webhook', configs: {} }] };
const key = { name: 'k', scopes: ['webhooks:read'] as const };
const channel = recordingChannel();
const posthorn = testDispatcher({ channels: [channel] });

type Call = (options: object) => Promise<unknown>;

/** How each public method takes its tenant. `null` marks methods without one. */
const calls: Record<string, Record<string, Call | null>> = {
  webhooks: {
    create: (options) => posthorn.webhooks.create({ ...webhook, ...options }),
    get: (options) => posthorn.webhooks.get('wh_0000000000', options),
    isTaken: null,
    list: (options) => posthorn.webhooks.list(options),
    update: (options) => posthorn.webhooks.update('wh_0000000000', {}, options),
    delete: (options) => posthorn.webhooks.delete('wh_0000000000', options),
    revealSecret: (options) => posthorn.webhooks.revealSecret('wh_0000000000', options),
    rotateSecret: (options) => posthorn.webhooks.rotateSecret('wh_0000000000', options),
    reencrypt: null,
    test: (options) => posthorn.webhooks.test('wh_0000000000', options),
    preview: (options) => posthorn.webhooks.preview('wh_0000000000', options),
  },
  events: {
    get: (options) => posthorn.events.get('evt_x', options),
    list: (options) => posthorn.events.list(options),
    explain: (options) => posthorn.events.explain('evt_x', options),
  },
  deliveries: {
    get: (options) => posthorn.deliveries.get('dlv_x', options),
    list: (options) => posthorn.deliveries.list(options),
    listUndelivered: (options) => posthorn.deliveries.listUndelivered(options),
    stats: (options) => posthorn.deliveries.stats(options),
    attempts: (options) => posthorn.deliveries.attempts('dlv_x', options),
    retry: (options) => posthorn.deliveries.retry('dlv_x', options),
    cancel: (options) => posthorn.deliveries.cancel('dlv_x', options),
  },
  apiKeys: {
    create: (options) => posthorn.apiKeys.create({ ...key, scopes: [...key.scopes], ...options } as never),
    list: (options) => posthorn.apiKeys.list(options),
    revoke: (options) => posthorn.apiKeys.revoke('key_0000000000', options),
    verify: null,
  },
  replays: {
    create: (options) => posthorn.replays.create(options),
    count: (options) => posthorn.replays.count(options),
    get: (options) => posthorn.replays.get('rpl_x', options),
    cancel: (options) => posthorn.replays.cancel('rpl_x', options),
  },
  posthorn: {
    dispatch: (options) => posthorn.dispatch('a.b', {}, options),
    dispatchMany: (options) => posthorn.dispatchMany([{ type: 'a.b', payload: {}, ...options }]),
  },
};

const methodsOf = (part: object): string[] =>
  Object.entries(part).flatMap(([name, value]) => (typeof value === 'function' ? [name] : []));

describe('an invalid tenant', () => {
  test.each(Object.keys(calls).filter((part) => part !== 'posthorn'))(
    'is passed to every method of %s',
    (part) => {
      expect(methodsOf(posthorn[part as 'events']).sort()).toEqual(Object.keys(calls[part]!).sort());
    },
  );

  const each = Object.entries(calls).flatMap(([part, methods]) =>
    Object.entries(methods).flatMap(([name, call]) => (call ? [[`${part}.${name}`, call] as const] : [])),
  );
  test.each(each)(
    'is refused by %s with invalid_option, and never treated as the default tenant',
    async (_, call) => {
      for (const tenantId of [
        null,
        '',
        7,
        Number.NaN,
        false,
        {},
        ['default'],
        'a\u0000b',
        '\ud800',
        't'.repeat(201),
      ]) {
        await expect(call({ tenantId })).rejects.toMatchObject({
          code: 'invalid_option',
          message: expect.stringContaining('tenantId'),
        });
      }
      expect((await posthorn.webhooks.list()).items).toEqual([]);
      expect((await posthorn.events.list()).items).toEqual([]);
    },
  );

  test('but undefined, or a missing tenant, is the default tenant', async () => {
    const { eventId } = await posthorn.dispatch('a.b', {}, { tenantId: undefined } as never);
    expect(await posthorn.events.get(eventId, { tenantId: undefined } as never)).toMatchObject({
      tenantId: 'default',
    });
  });
});
