import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import {
  type Channel,
  createDispatcher,
  createSecret,
  type Dispatcher,
  type EncryptionKey,
  type Issue,
  type StorageAdapter,
  type WebhookInput,
} from '@posthorn/core';
import { delivered, type Message } from '@posthorn/core/channel';
import { memoryStorage } from '@posthorn/storage-memory';
import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';

interface Configs {
  readonly url: string;
  readonly headers?: Record<string, string> | undefined;
}

/** A channel with secret configs that records the messages it is given. */
function secretive() {
  const messages: Message<Configs>[] = [];
  const channel: Channel<Configs> = {
    type: 'web',
    config: z.object({
      url: z.string(),
      headers: z.record(z.string(), z.string().max(20, { error: 'must be short' })).optional(),
    }),
    secretPaths: [['headers']],
    async send(message) {
      messages.push(message);
      return delivered();
    },
  };
  return { channel, messages };
}

const keyOf = (id: string): EncryptionKey => ({ id, key: randomBytes(32) });
const one = keyOf('one');
const two = keyOf('two');

const headers = { authorization: 'Bearer s3cret', 'x-key': 'another-s3cret' };
const input: WebhookInput = {
  name: 'orders',
  eventTypes: ['*'],
  channels: [{ channel: 'web', configs: { url: 'https://a', headers } }],
};
const withHeaders = (id: string, other: Record<string, string>) => ({
  channels: [{ id, channel: 'web', configs: { url: 'https://a', headers: other } }],
});

/** A dispatcher on a storage that others may share. */
function application(keys: readonly EncryptionKey[] = [one], storage: StorageAdapter = memoryStorage()) {
  const { channel, messages } = secretive();
  const encryption = keys.length > 0 ? { encryption: { keys } } : {};
  const dispatcher: Dispatcher = createDispatcher({ storage, channels: [channel], ...encryption });
  return { ...dispatcher, storage, messages };
}

const atRest = async (storage: StorageAdapter) =>
  (await storage.webhooks.list(undefined, { limit: 100 })).items;

describe('at rest', () => {
  test('signing secrets and secret configs are encrypted, and everything else stays readable', async () => {
    const { webhooks, storage } = application();
    const secret = createSecret();
    await webhooks.create({ ...input, secret });
    const [record] = await atRest(storage);
    expect(record!.secrets[0]!.key).toMatch(/^enc:v1:one:/);
    expect(record!.channels[0]!.configs).toEqual({
      url: 'https://a',
      headers: { authorization: expect.stringMatching(/^enc:/), 'x-key': expect.stringMatching(/^enc:/) },
    });
    expect(JSON.stringify(record)).not.toMatch(/s3cret/);
    expect(JSON.stringify(record)).not.toContain(secret);
  });

  test('secrets are stored in plain text without keys, and work', async () => {
    const { webhooks, storage, dispatch, drain, messages } = application([]);
    await webhooks.create(input);
    expect((await atRest(storage))[0]!.channels[0]!.configs).toEqual({ url: 'https://a', headers });
    await dispatch('a', {});
    await drain();
    expect(messages[0]!.configs.headers).toEqual(headers);
  });

  test("a webhook cannot decrypt another webhook's secrets", async () => {
    const { webhooks, storage, dispatch, drain, deliveries, messages } = application();
    const webhook = await webhooks.create(input);
    const victim = (await atRest(storage))[0]!;
    const thief = await webhooks.create({
      ...input,
      tenantId: 'thief',
      channels: [{ channel: 'web', configs: { url: 'b' } }],
    });
    await storage.webhooks.update('thief', thief.id, 1, { secrets: victim.secrets });
    await storage.webhooks.update('thief', thief.id, 2, { channels: victim.channels });
    await dispatch('a', {}, { tenantId: 'thief' });
    await drain();
    expect(messages).toEqual([]);
    const { items } = await deliveries.list({ tenantId: 'thief' });
    const [attempt] = await deliveries.attempts(items[0]!.id, { tenantId: 'thief' });
    expect(attempt).toMatchObject({ outcome: 'failed', kind: 'config' });
    await expect(webhooks.revealSecret(thief.id, { tenantId: 'thief' })).rejects.toMatchObject({
      code: 'secret_unreadable',
    });
    expect(await webhooks.revealSecret(webhook.id)).toMatch(/^whsec_/);
  });
});

describe('a message', () => {
  test('gives its channel decrypted configs, the same object each time, and secrets to reveal', async () => {
    const { webhooks, dispatch, drain, messages } = application();
    const secret = createSecret();
    await webhooks.create({ ...input, secret });
    await dispatch('a', 1);
    await dispatch('a', 2);
    await drain();
    expect(messages[0]!.configs).toEqual({ url: 'https://a', headers });
    expect(messages[1]!.configs).toBe(messages[0]!.configs);
    expect(messages[0]!.secrets.map((held) => held.reveal())).toEqual([secret]);
  });

  test('shows no secret, however it is printed', async () => {
    const { webhooks, dispatch, drain, messages } = application();
    const secret = createSecret();
    await webhooks.create({ ...input, secret });
    await dispatch('a', { shown: true });
    await drain();
    const [message] = messages;
    const [held] = message!.secrets;
    const prints = [
      inspect(message, { depth: 9 }),
      JSON.stringify(message),
      inspect(held),
      `${held}`,
      JSON.stringify({ held }),
    ];
    for (const print of prints) {
      expect(print).toContain('***');
      expect(print).not.toContain(secret);
      expect(print).not.toMatch(/s3cret/);
    }
    expect(JSON.parse(JSON.stringify(message))).toMatchObject({
      configs: { url: 'https://a' },
      event: { type: 'a' },
    });
  });
});

describe('a wrong or missing key', () => {
  test.each<[string, EncryptionKey[]]>([
    ['missing', [two]],
    ['another key with the same id', [keyOf('one')]],
    ['no key', []],
  ])('%s: nothing is sent, and the attempt fails as `config` and is retried', async (_, keys) => {
    const before = application();
    const webhook = await before.webhooks.create(input);
    const { dispatch, drain, deliveries, webhooks, messages } = application(keys, before.storage);
    await dispatch('a', {});
    await drain();
    expect(messages).toEqual([]);
    const { items } = await deliveries.list();
    expect(items).toMatchObject([{ status: 'pending', attempts: 1 }]);
    const [attempt] = await deliveries.attempts(items[0]!.id);
    expect(attempt).toMatchObject({
      outcome: 'failed',
      kind: 'config',
      message: expect.stringContaining('cannot be decrypted'),
    });
    const [sample] = await webhooks.test(webhook.id);
    expect(sample!.verdict).toMatchObject({ outcome: 'failed', kind: 'config' });
    // Calls that need no secret work.
    expect(await webhooks.get(webhook.id)).toMatchObject({
      channels: [{ configs: { headers: { 'x-key': '***' } } }],
    });
    await expect(webhooks.revealSecret(webhook.id)).rejects.toMatchObject({ code: 'secret_unreadable' });
  });

  test('a value that can no longer be decrypted can be replaced, even with an older secret that still signs', async () => {
    const before = application();
    const webhook = await before.webhooks.create(input);
    await before.webhooks.rotateSecret(webhook.id);
    const { webhooks, dispatch, drain, messages } = application([two], before.storage);
    await webhooks.update(webhook.id, withHeaders(webhook.channels[0]!.id, { 'x-key': 'new' }));
    await expect(webhooks.rotateSecret(webhook.id)).rejects.toMatchObject({ code: 'secret_unreadable' });
    const secret = await webhooks.rotateSecret(webhook.id, { overlap: 0 });
    await dispatch('a', {});
    await drain();
    expect(messages[0]!.configs.headers).toEqual({ 'x-key': 'new' });
    expect(messages[0]!.secrets.map((held) => held.reveal())).toEqual([secret]);
  });
});

describe('reading', () => {
  test('masks every secret config, in results and announcements', async () => {
    const { webhooks, on } = application();
    const announced: unknown[] = [];
    on('webhook:created', (webhook) => announced.push(webhook));
    on('webhook:updated', (webhook) => announced.push(webhook));
    const created = await webhooks.create(input);
    const masked = { url: 'https://a', headers: { authorization: '***', 'x-key': '***' } };
    const updated = await webhooks.update(created.id, { name: 'other' });
    const { items } = await webhooks.list();
    for (const webhook of [created, updated, await webhooks.get(created.id), items[0]!, ...announced]) {
      expect(webhook).toMatchObject({ channels: [{ configs: masked }] });
      expect(webhook).not.toHaveProperty('secrets');
    }
    expect(announced).toHaveLength(2);
  });

  test('masks every string in configs of a channel that this process does not have', async () => {
    const { webhooks, storage } = application([]);
    const { id } = await webhooks.create(input);
    const elsewhere = createDispatcher({ storage, channels: [] });
    expect((await elsewhere.webhooks.get(id)).channels[0]!.configs).toEqual({
      url: '***',
      headers: { authorization: '***', 'x-key': '***' },
    });
  });
});

describe('an update with the mask', () => {
  test('keeps the stored value, and is not a change', async () => {
    const { webhooks, dispatch, drain, messages } = application();
    const created = await webhooks.create(input);
    const same = await webhooks.update(created.id, { channels: [...created.channels] });
    expect(same).toEqual(created);
    const id = created.channels[0]!.id;
    const changed = await webhooks.update(
      created.id,
      withHeaders(id, { authorization: '***', 'x-new': 'fresh' }),
    );
    expect(changed.version).toBe(2);
    await dispatch('a', {});
    await drain();
    expect(messages[0]!.configs.headers).toEqual({ authorization: 'Bearer s3cret', 'x-new': 'fresh' });
  });

  test('keeps the stored value of a binding without an id, by its position', async () => {
    const { webhooks, dispatch, drain, messages } = application();
    const created = await webhooks.create(input);
    const [{ id: _, ...binding }] = created.channels as [(typeof created.channels)[0]];
    expect(await webhooks.update(created.id, { channels: [binding] })).toEqual(created);
    await dispatch('a', {});
    await drain();
    expect(messages[0]!.configs.headers).toEqual(headers);
  });

  describe('for two bindings of a channel, sent without their ids', () => {
    const bearer = (name: string) => ({ authorization: `Bearer ${name}` });
    const web = (name: string, other: unknown = bearer(name)) => ({
      channel: 'web',
      configs: { url: `https://${name}`, headers: other },
    });
    const masked = { authorization: '***' };

    /** Updates a webhook that had `a` and `b` with these channels. Returns what each URL gets, and the binding ids. */
    async function sentBack(channels: readonly ReturnType<typeof web>[]) {
      const { webhooks, dispatch, drain, messages } = application();
      const created = await webhooks.create({ ...input, channels: [web('a'), web('b')] });
      const { channels: after } = await webhooks.update(created.id, { channels: [...channels] });
      await dispatch('a', {});
      await drain();
      const names = new Map(created.channels.map(({ id }, i) => [id, ['a', 'b'][i]]));
      return {
        got: Object.fromEntries(
          messages.map(({ configs }) => [configs.url.slice(8), configs.headers?.authorization]),
        ),
        were: after.map(({ id }) => names.get(id) ?? 'new'),
      };
    }

    test.each<[string, readonly ReturnType<typeof web>[], readonly string[]]>([
      ['in the other order', [web('b', masked), web('a', masked)], ['b', 'a']],
      ['only the second', [web('b', masked)], ['b']],
      ['after a new binding', [web('c'), web('a', masked), web('b', masked)], ['new', 'a', 'b']],
      ['with the secrets themselves', [web('b'), web('a')], ['b', 'a']],
    ])('each keeps its own secrets: %s', async (_, channels, were) => {
      const sent = await sentBack(channels);
      expect(sent.were).toEqual(were);
      expect(sent.got).toEqual(
        Object.fromEntries(channels.map(({ configs: { url } }) => [url.slice(8), `Bearer ${url.slice(8)}`])),
      );
    });

    test('a changed binding gets the stored binding that no other one matches', async () => {
      const changed = { channel: 'web', configs: { url: 'https://a2', headers: masked } };
      expect(await sentBack([web('b', masked), changed])).toEqual({
        got: { b: 'Bearer b', a2: 'Bearer a' },
        were: ['b', 'a'],
      });
    });

    const edited = (name: string) => ({
      channel: 'web',
      configs: { url: `https://${name}?v=2`, headers: masked },
    });
    test.each<[string, readonly ReturnType<typeof web>[], number]>([
      ['one was removed and the other edited', [edited('b')], 0],
      ['both were edited', [edited('a'), edited('b')], 0],
      ['both were edited and swapped', [edited('b'), edited('a')], 0],
      ['one is new, and one was edited', [web('c'), edited('b')], 1],
    ])('an ambiguous mask is refused, and nothing is written: %s', async (_, channels, at) => {
      await expect(sentBack(channels)).rejects.toMatchObject({
        code: 'invalid_webhook',
        issues: expect.arrayContaining([
          {
            path: ['channels', at, 'configs', 'headers', 'authorization'],
            message: expect.stringContaining('which of several'),
          },
        ]),
      });
    });

    test('a mask is refused when one of two bindings that look the same was removed', async () => {
      const alike = () => [web('a', bearer('1')), web('a', bearer('2'))];
      const { webhooks } = application();
      const created = await webhooks.create({ ...input, channels: alike() });
      const update = (channels: readonly object[]) =>
        webhooks.update(created.id, { channels: channels as never });
      await expect(update([web('a', masked)])).rejects.toMatchObject({ code: 'invalid_webhook' });
      expect(await update([web('a', masked), web('a', masked)])).toEqual(created);
      expect((await update([{ ...web('a', masked), id: created.channels[1]!.id }])).channels).toEqual([
        created.channels[1],
      ]);
    });

    test('configs with a cycle are refused, as usual', async () => {
      const { webhooks } = application();
      const created = await webhooks.create(input);
      const circle: Record<string, unknown> = {};
      circle.headers = circle;
      await expect(
        webhooks.update(created.id, { channels: [{ channel: 'web', configs: circle }] }),
      ).rejects.toMatchObject({ code: 'invalid_webhook' });
    });
  });

  test('the same value sent again is not a change', async () => {
    const { webhooks } = application();
    const created = await webhooks.create(input);
    expect(await webhooks.update(created.id, withHeaders(created.channels[0]!.id, headers))).toEqual(created);
  });

  test('is refused where no value is stored, with its path, and nothing is written', async () => {
    const { webhooks, storage } = application();
    const masked = {
      ...input,
      ...{ channels: [{ channel: 'web', configs: { url: 'a', headers: { x: '***' } } }] },
    };
    const refusal = {
      code: 'invalid_webhook',
      issues: [{ path: ['channels', 0, 'configs', 'headers', 'x'] }],
    };
    await expect(webhooks.create(masked)).rejects.toMatchObject(refusal);
    expect(await atRest(storage)).toEqual([]);
    const created = await webhooks.create(input);
    const id = created.channels[0]!.id;
    await expect(webhooks.update(created.id, withHeaders(id, { x: '***' }))).rejects.toMatchObject(refusal);
    // A new binding has no stored value, though its neighbour has one.
    const second = { channel: 'web', configs: { url: 'b', headers: { 'x-key': '***' } } };
    await expect(
      webhooks.update(created.id, { channels: [...created.channels, second] }),
    ).rejects.toMatchObject({
      issues: [{ path: ['channels', 1, 'configs', 'headers', 'x-key'] }],
    });
    expect(await webhooks.get(created.id)).toEqual(created);
  });

  test('passes the stored value to the validation of the channel, not the mask', async () => {
    const { webhooks, storage } = application();
    const created = await webhooks.create(input);
    const strict = {
      ...secretive().channel,
      config: z.object({ url: z.string(), headers: z.record(z.string(), z.string().min(9)) }),
    };
    const stricter: Dispatcher = createDispatcher({
      storage,
      channels: [strict],
      encryption: { keys: [one] },
    });
    expect(await stricter.webhooks.update(created.id, { channels: [...created.channels] })).toEqual(created);
  });
});

test('a value in the format of an encrypted one is refused wherever it would be stored as a secret', async () => {
  const { webhooks } = application();
  const value = 'enc:v1:one:AAAA';
  const channels = [{ channel: 'web', configs: { url: 'a', headers: { x: value } } }];
  await expect(webhooks.create({ ...input, channels })).rejects.toMatchObject({ code: 'invalid_webhook' });
  await expect(webhooks.create({ ...input, secret: value })).rejects.toMatchObject({
    code: 'invalid_secret',
  });
});

describe('a number in a config that its channel declares secret', () => {
  const { channel } = secretive();
  const takingAll = { ...channel, config: z.any(), secretPaths: [['headers'], ['pins', '*']] };

  test('is refused, because it would be neither encrypted nor masked', async () => {
    const { webhooks } = createDispatcher({ storage: memoryStorage(), channels: [takingAll] });
    const configs = { timeout: 5, headers: { pin: 123456789012, isOn: true, none: null }, pins: ['1', 2] };
    const message = 'must be a string: it is secret';
    await expect(
      webhooks.create({ ...input, channels: [{ channel: 'web', configs }] }),
    ).rejects.toMatchObject({
      code: 'invalid_webhook',
      issues: [
        { path: ['channels', 0, 'configs', 'headers', 'pin'], message },
        { path: ['channels', 0, 'configs', 'pins', '1'], message },
      ],
    });
  });
});

describe('deeply nested configs', () => {
  const nested = (depth: number, within: unknown = 'x'): unknown => {
    let value = within;
    for (let i = 0; i < depth; i++) value = i % 2 ? [value] : { a: value };
    return value;
  };
  const cyclic: Record<string, unknown> = {};
  Object.assign(cyclic, { a: cyclic, b: [cyclic] });

  test.each<[string, unknown]>([
    ['65 levels', nested(64)],
    ['100,000 levels', nested(100_000)],
    ['a circle', cyclic],
  ])('are refused with their path: %s', async (_, headers) => {
    const { webhooks } = application();
    const configs = { url: 'https://a', headers };
    const { id } = await webhooks.create(input);
    for (const saved of [
      webhooks.create({ ...input, channels: [{ channel: 'web', configs }] }),
      webhooks.update(id, { channels: [{ channel: 'web', configs }] }),
    ]) {
      await expect(saved).rejects.toMatchObject({
        code: 'invalid_webhook',
        issues: [{ path: ['channels', 0, 'configs'], message: 'must not nest deeper than 64 levels' }],
      });
    }
  });

  test('are accepted up to 64 levels, if their channel accepts them', async () => {
    const { channel } = secretive();
    const takesAll = { ...channel, config: z.any() };
    const { webhooks } = createDispatcher({ storage: memoryStorage(), channels: [takesAll] });
    const channels = [{ channel: 'web', configs: { headers: nested(63) } }];
    expect(await webhooks.create({ ...input, channels })).toMatchObject({ version: 1 });
  });
});

describe('reencrypt', () => {
  test('encrypts the webhooks of all tenants again with the first key, and then the old key is not needed', async () => {
    const before = application([]);
    for (let i = 0; i < 150; i++) await before.webhooks.create({ ...input, tenantId: `t${i % 3}` });
    const old = application([one], before.storage);
    expect(await old.webhooks.reencrypt()).toBe(150);
    const both = application([two, one], before.storage);
    const fresh = await both.webhooks.create(input);
    expect(await both.webhooks.reencrypt()).toBe(150);
    expect(await both.webhooks.reencrypt()).toBe(0);
    const { dispatch, drain, messages, webhooks } = application([two], before.storage);
    for (let i = 0; i < 3; i++) await dispatch('a', {}, { tenantId: `t${i}` });
    await drain();
    expect(messages).toHaveLength(150);
    expect(new Set(messages.map(({ configs }) => JSON.stringify(configs.headers)))).toEqual(
      new Set([JSON.stringify(headers)]),
    );
    expect(await webhooks.revealSecret(fresh.id)).toMatch(/^whsec_/);
    expect(JSON.stringify(await atRest(before.storage))).not.toContain('enc:v1:one');
  });

  test('keeps updatedAt, and fails no attempt while events are delivered', async () => {
    const storage = memoryStorage();
    const old = application([one, two], storage);
    const made = await Promise.all(Array.from({ length: 50 }, () => old.webhooks.create(input)));
    const both = application([two, one], storage);
    const traffic = (async () => {
      for (let i = 0; i < 20; i++) {
        await old.dispatch('a', i);
        await Promise.all([old.drain(), both.drain()]);
      }
    })();
    expect(await both.webhooks.reencrypt()).toBe(50);
    await traffic;
    expect(old.messages.length + both.messages.length).toBe(50 * 20);
    for (const { id, updatedAt } of made) expect((await both.webhooks.get(id)).updatedAt).toEqual(updatedAt);
  });

  test('loses no concurrent change', async () => {
    const { webhooks, storage } = application([one]);
    const created = await webhooks.create(input);
    let isFirst = true;
    const update: StorageAdapter['webhooks']['update'] = async (...args) => {
      if (isFirst) await webhooks.update(created.id, { name: 'changed meanwhile' });
      isFirst = false;
      return storage.webhooks.update(...args);
    };
    const both = application([two, one], { ...storage, webhooks: { ...storage.webhooks, update } });
    await both.webhooks.reencrypt();
    expect((await both.webhooks.get(created.id)).name).toBe('changed meanwhile');
    expect((await atRest(storage))[0]!.secrets[0]!.key).toMatch(/^enc:v1:two:/);
  });

  test('skips a webhook that no key can decrypt, encrypts the others, and then names it', async () => {
    const lost = application([keyOf('lost')]);
    const unreadable = [
      await lost.webhooks.create(input),
      await lost.webhooks.create({ ...input, tenantId: 't' }),
    ];
    const old = application([one], lost.storage);
    for (let i = 0; i < 3; i++) await old.webhooks.create(input);
    const { webhooks } = application([two, one], lost.storage);
    for (const written of [3, 0]) {
      await expect(webhooks.reencrypt()).rejects.toMatchObject({
        code: 'secret_unreadable',
        message: expect.stringContaining(`${written} webhooks were re-encrypted, 2 were not`),
        issues: expect.toSatisfy((issues: Issue[]) => {
          const ids = issues.map(({ path }) => path.join('/')).sort();
          return (
            ids.join() ===
            unreadable
              .map(({ id, tenantId }) => `${tenantId}/${id}`)
              .sort()
              .join()
          );
        }),
      });
    }
    for (const { id, tenantId } of unreadable) await webhooks.delete(id, { tenantId });
    expect(await webhooks.reencrypt()).toBe(0);
  });

  test('counts as a write of the webhook, like any other', async () => {
    const old = application([one]);
    const { id, version } = await old.webhooks.create(input);
    const { webhooks } = application([two, one], old.storage);
    await webhooks.reencrypt();
    await expect(webhooks.update(id, { name: 'late' }, { version })).rejects.toMatchObject({
      code: 'conflict',
    });
    expect(await webhooks.update(id, { name: 'in time' }, { version: version + 1 })).toMatchObject({
      version: version + 2,
    });
  });

  test('rejects with the error of the storage', async () => {
    const { storage } = application();
    const list = () => Promise.reject(new Error('down'));
    const broken = application([two, one], { ...storage, webhooks: { ...storage.webhooks, list } });
    await expect(broken.webhooks.reencrypt()).rejects.toMatchObject({ code: 'storage_failed' });
  });

  test('needs keys', async () => {
    await expect(application([]).webhooks.reencrypt()).rejects.toMatchObject({ code: 'invalid_option' });
  });
});

describe('the warning about secrets in plain text', () => {
  const durable = (): StorageAdapter => ({ ...memoryStorage(), isVolatile: false });

  async function warningsOf(
    storage: StorageAdapter,
    keys: readonly EncryptionKey[],
    use: 'start' | 'drain' = 'start',
  ): Promise<unknown[]> {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    try {
      const { start, stop, drain } = application(keys, storage);
      for (let i = 0; i < 2; i++) {
        if (use === 'start') start();
        else await drain();
        await stop();
      }
      return warn.mock.calls.map(([, options]) => options);
    } finally {
      warn.mockRestore();
    }
  }

  test.each(['start', 'drain'] as const)('is given once, at the first %s', async (use) => {
    expect(await warningsOf(durable(), [], use)).toEqual([
      expect.objectContaining({ code: 'POSTHORN_CLEAR_SECRETS' }),
    ]);
  });

  test('is not given when there are keys, or when the storage is volatile', async () => {
    expect(await warningsOf(durable(), [one])).toEqual([]);
    expect(await warningsOf(memoryStorage(), [])).toEqual([]);
    expect(await warningsOf(memoryStorage(), [], 'drain')).toEqual([]);
  });
});

describe('what a channel reports', () => {
  test('is recorded without the secrets of the message, in responses and in errors', async () => {
    const secret = createSecret();
    const { channel } = secretive();
    const tell = (message: Message<Configs>) =>
      `${message.secrets[0]!.reveal()} ${message.configs.headers!['x-key']} ${secret.slice('whsec_'.length)}`;
    const telling = {
      ...channel,
      send: async (message: Message<Configs>) => delivered({ response: tell(message) }),
    };
    const throwing: Channel<Configs> = {
      ...channel,
      type: 'throwing',
      send: async (message) => {
        throw new Error(tell(message));
      },
    };
    const engine = createDispatcher({
      storage: memoryStorage(),
      channels: [telling, throwing],
      encryption: { keys: [one] },
    });
    const configs = { url: 'https://a', headers };
    const channels = ['web', 'throwing'].map((type) => ({ channel: type, configs }));
    const { id } = await engine.webhooks.create({ ...input, secret, channels });
    await engine.dispatch('a', {});
    await engine.drain();
    const { items } = await engine.deliveries.list();
    const attempts = (await Promise.all(items.map((item) => engine.deliveries.attempts(item.id)))).flat();
    const samples = (await engine.webhooks.test(id)).map(({ verdict }) => verdict);
    expect([...attempts, ...samples]).toHaveLength(4);
    for (const { response, message } of [...attempts, ...samples] as {
      response?: string;
      message?: string;
    }[]) {
      expect(response || message).toMatch(/whsec_\*\*\* \*\*\* \*\*\*$/);
    }
  });
});
