import {
  type Channel,
  createDispatcher,
  createSecret,
  type Duration,
  defineEvents,
  PosthornError,
  type WebhookInput,
} from '@posthorn/core';
import { delivered, failed, parseSecret } from '@posthorn/core/channel';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel, testDispatcher } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

const strict: Channel<{ url: string; note?: string | undefined }> = {
  type: 'strict',
  config: z.strictObject({ url: z.string().trim().startsWith('http'), note: z.string().optional() }),
  send: async ({ configs }) =>
    configs.url.endsWith('down') ? failed('refused', 'down') : delivered({ status: 200 }),
};

const application = () => testDispatcher({ channels: [strict, recordingChannel()] });
const input: WebhookInput = {
  name: 'orders',
  eventTypes: ['order.*'],
  channels: [{ channel: 'strict', configs: { url: ' http://a ' } }],
};

describe('creating', () => {
  test("fills in defaults, and stores configs as the channel's schema outputs them", async () => {
    const { webhooks, clock } = application();
    const webhook = await webhooks.create(input);
    expect(webhook).toEqual({
      id: expect.stringMatching(/^wh_[a-zA-Z0-9]{10}$/),
      tenantId: 'default',
      name: 'orders',
      eventTypes: ['order.*'],
      channels: [{ id: expect.stringMatching(/^ch_/), channel: 'strict', configs: { url: 'http://a' } }],
      isActive: true,
      disabledReason: null,
      version: 1,
      createdAt: new Date(clock.now()),
      updatedAt: new Date(clock.now()),
    });
    expect(await webhooks.get(webhook.id)).toEqual(webhook);
    expect(await webhooks.list()).toEqual({ items: [webhook], nextCursor: null });
  });

  test('validates configs once per binding, also where the channel validates asynchronously', async () => {
    let asked = 0;
    const slow: Channel = {
      ...strict,
      config: z.object({
        url: z.string().refine(async () => {
          asked++;
          return true;
        }),
      }),
    };
    const { webhooks } = testDispatcher({ channels: [slow] });
    await webhooks.create(input);
    expect(asked).toBe(1);
  });

  test('accepts a well-formed id, once', async () => {
    const { webhooks } = application();
    expect(await webhooks.create({ ...input, id: 'wh_0123456789' })).toMatchObject({ id: 'wh_0123456789' });
    await expect(webhooks.create({ ...input, id: 'wh_0123456789' })).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  test.each<[string, object, (string | number)[]]>([
    ['no name', { name: undefined }, ['name']],
    ['an empty name', { name: '' }, ['name']],
    ['a name of 201 characters', { name: 'x'.repeat(201) }, ['name']],
    ['a name with a line break', { name: 'a\nb' }, ['name']],
    ['no event types', { eventTypes: [] }, ['eventTypes']],
    ['an invalid pattern', { eventTypes: ['a', 'b*'] }, ['eventTypes', 1]],
    ['no channels', { channels: [] }, ['channels']],
    [
      'a channel that is not registered',
      { channels: [{ channel: 'fax', configs: {} }] },
      ['channels', 0, 'channel'],
    ],
    [
      'wrong configs',
      { channels: [{ channel: 'strict', configs: { url: 7 } }] },
      ['channels', 0, 'configs', 'url'],
    ],
    [
      'configs with a typo',
      { channels: [{ channel: 'strict', configs: { url: 'http://a', note_: '' } }] },
      ['channels', 0, 'configs'],
    ],
    ['a malformed id', { id: 'wh_short' }, ['id']],
    ['a field that does not exist', { active: false }, ['active']],
    [
      'a binding id chosen by the caller',
      { channels: [{ id: 'ch_0123456789', channel: 'strict', configs: {} }] },
      ['channels', 0, 'id'],
    ],
    ['isActive that is not a boolean', { isActive: 'no' }, ['isActive']],
    ['a disabledReason chosen by the caller', { disabledReason: 'full' }, ['disabledReason']],
  ])('refuses %s and names the field', async (_, change, path) => {
    const { webhooks } = application();
    await expect(webhooks.create({ ...input, ...change } as WebhookInput)).rejects.toMatchObject({
      code: 'invalid_webhook',
      issues: [{ path }],
    });
    expect((await webhooks.list()).items).toEqual([]);
  });

  test('counts the characters of a name by code points', async () => {
    const { webhooks } = application();
    expect(await webhooks.create({ ...input, name: '🎺'.repeat(200) })).toMatchObject({
      name: '🎺'.repeat(200),
    });
    await expect(webhooks.create({ ...input, name: '🎺'.repeat(201) })).rejects.toMatchObject({
      code: 'invalid_webhook',
    });
  });
});

describe('updating', () => {
  test('changes updatedAt on a real change only, and createdAt never', async () => {
    const { webhooks, advance } = application();
    const created = await webhooks.create(input);
    await advance('1h');
    const { id, name, eventTypes, channels } = created;
    const same = await webhooks.update(id, { name, eventTypes: [...eventTypes], channels: [...channels] });
    expect(same).toEqual(created);
    const renamed = await webhooks.update(id, { name: 'other' });
    expect(renamed.createdAt).toEqual(created.createdAt);
    expect(renamed.updatedAt.getTime() - created.updatedAt.getTime()).toBe(3_600_000);
    expect(renamed).toMatchObject({ name: 'other', eventTypes: ['order.*'], version: 2 });
  });

  test.each(['id', 'tenantId', 'createdAt', 'updatedAt', 'version', 'secret', 'secrets', '__proto__x'])(
    'refuses to change %s',
    async (field) => {
      const { webhooks } = application();
      const { id } = await webhooks.create(input);
      await expect(webhooks.update(id, { [field]: 'x' })).rejects.toMatchObject({ code: 'invalid_webhook' });
    },
  );

  test('refuses a version that another update has replaced', async () => {
    const { webhooks } = application();
    const { id, version } = await webhooks.create(input);
    await webhooks.update(id, { name: 'first' }, { version });
    await expect(webhooks.update(id, { name: 'second' }, { version })).rejects.toMatchObject({
      code: 'conflict',
    });
    expect(await webhooks.get(id)).toMatchObject({ name: 'first' });
  });

  test('loses none of many concurrent updates', async () => {
    const { webhooks } = application();
    const { id } = await webhooks.create(input);
    await Promise.all([
      webhooks.update(id, { name: 'n' }),
      webhooks.update(id, { isActive: false }),
      webhooks.update(id, { eventTypes: ['a'] }),
    ]);
    expect(await webhooks.get(id)).toMatchObject({
      name: 'n',
      isActive: false,
      eventTypes: ['a'],
      version: 4,
    });
  });

  test('keeps the id of a binding whose configs change, so that pending deliveries still reach it', async () => {
    const channel = recordingChannel();
    const dispatcher = testDispatcher({ channels: [channel, strict] });
    const webhook = await dispatcher.webhooks.create({
      ...input,
      channels: [...input.channels, { channel: 'webhook', configs: { to: 'old' } }],
    });
    await dispatcher.dispatch('order.placed', 1);
    const updated = await dispatcher.webhooks.update(webhook.id, {
      channels: [{ channel: 'webhook', configs: { to: 'new' } }],
    });
    expect(updated.channels[0]?.id).toBe(webhook.channels[1]?.id);
    const cancelled: unknown[] = [];
    dispatcher.on('delivery:cancelled', ({ channel: type }) => void cancelled.push(type));
    await dispatcher.drain();
    expect(channel.deliveries.map(({ message }) => message.configs)).toEqual([{ to: 'new' }]);
    expect(cancelled).toEqual([null]);
  });

  test('refuses a binding id that the webhook does not have', async () => {
    const { webhooks } = application();
    const { id, channels } = await webhooks.create(input);
    const other = { ...channels[0]!, id: 'ch_0123456789' };
    await expect(webhooks.update(id, { channels: [other] })).rejects.toMatchObject({
      issues: [{ path: ['channels', 0, 'id'] }],
    });
    await expect(webhooks.update(id, { channels: [channels[0]!, channels[0]!] })).rejects.toMatchObject({
      code: 'invalid_webhook',
    });
  });

  test("does not find another tenant's webhook, by any call", async () => {
    const { webhooks } = application();
    const { id } = await webhooks.create(input);
    const options = { tenantId: 'other' };
    const notFound = { code: 'not_found' };
    await expect(webhooks.get(id, options)).rejects.toMatchObject(notFound);
    await expect(webhooks.update(id, { name: 'x' }, options)).rejects.toMatchObject(notFound);
    await expect(webhooks.revealSecret(id, options)).rejects.toMatchObject(notFound);
    await expect(webhooks.rotateSecret(id, options)).rejects.toMatchObject(notFound);
    await expect(webhooks.test(id, options)).rejects.toMatchObject(notFound);
    expect(await webhooks.delete(id, options)).toBe(false);
    expect((await webhooks.list(options)).items).toEqual([]);
    expect(await webhooks.get(id)).toMatchObject({ name: 'orders', version: 1 });
  });
});

describe('deleting', () => {
  test('refuses a version that is not the stored one with a conflict, and deletes nothing', async () => {
    const { webhooks, on } = application();
    const deleted: string[] = [];
    on('webhook:deleted', ({ webhookId }) => deleted.push(webhookId));
    const { id } = await webhooks.create(input);
    await webhooks.update(id, { name: 'changed' });
    await expect(webhooks.delete(id, { version: 1 })).rejects.toMatchObject({ code: 'conflict' });
    expect(await webhooks.get(id)).toMatchObject({ name: 'changed', version: 2 });
    expect(await webhooks.delete(id, { version: 2, tenantId: 'other' })).toBe(false);
    expect(deleted).toEqual([]);
    expect(await webhooks.delete(id, { version: 2 })).toBe(true);
    expect(await webhooks.delete(id, { version: 2 })).toBe(false);
    expect(deleted).toEqual([id]);
  });

  test.each([null, '1', 1.5])('refuses the version %o, and deletes nothing', async (version) => {
    const { webhooks } = application();
    const { id } = await webhooks.create(input);
    await expect(webhooks.delete(id, { version: version as never })).rejects.toMatchObject({
      code: 'invalid_option',
    });
    expect(await webhooks.get(id)).toMatchObject({ version: 1 });
  });
});

describe('listing', () => {
  test('returns every webhook once, newest first, page by page', async () => {
    const { webhooks } = application();
    const made: string[] = [];
    for (let i = 0; i < 7; i++) made.unshift((await webhooks.create({ ...input, name: `w${i}` })).id);
    const seen: string[] = [];
    let cursor: string | null | undefined;
    do {
      const page = await webhooks.list({ limit: 3, ...(cursor && { cursor }) });
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
    } while (cursor);
    expect(seen).toEqual(made);
  });

  test('finds the webhooks that an event of a type would match', async () => {
    const { webhooks } = application();
    await webhooks.create(input);
    await webhooks.create({ ...input, eventTypes: ['other'] });
    expect((await webhooks.list({ eventType: 'order.placed' })).items).toMatchObject([
      { eventTypes: ['order.*'] },
    ]);
    expect((await webhooks.list({ isActive: false })).items).toEqual([]);
  });

  test('finds webhooks by name, from an offset on, with the total count', async () => {
    const { webhooks } = application();
    const made: string[] = [];
    for (let i = 0; i < 5; i++)
      made.unshift((await webhooks.create({ ...input, name: i < 3 ? 'old' : 'new' })).id);
    const idsOf = ({ items }: { items: readonly { id: string }[] }) => items.map(({ id }) => id);
    expect(idsOf(await webhooks.list({ name: 'new' }))).toEqual(made.slice(0, 2));
    expect(idsOf(await webhooks.list({ offset: 3 }))).toEqual(made.slice(3));
    const page = await webhooks.list({ name: 'old', offset: 1, limit: 1, withTotal: true });
    expect([idsOf(page), page.total]).toEqual([[made[3]], 3]);
    expect(await webhooks.list({ offset: 10_000, withTotal: true })).toEqual({
      items: [],
      nextCursor: null,
      total: 5,
    });
    expect(Object.keys(await webhooks.list())).not.toContain('total');
  });

  test.each([0, -1, 1.5, 1001, Number.NaN])('refuses a limit of %s', async (limit) => {
    await expect(application().webhooks.list({ limit })).rejects.toMatchObject({ code: 'invalid_option' });
  });

  test('refuses a cursor that did not come from a page', async () => {
    await expect(application().webhooks.list({ cursor: 'x' })).rejects.toMatchObject({
      code: 'invalid_option',
    });
  });
});

describe('secrets', () => {
  test('are returned by one call, and by no other', async () => {
    const { webhooks } = application();
    const secret = createSecret();
    const webhook = await webhooks.create({ ...input, secret });
    expect(await webhooks.revealSecret(webhook.id)).toBe(secret);
    const shown = [
      webhook,
      await webhooks.get(webhook.id),
      await webhooks.list(),
      await webhooks.update(webhook.id, { name: 'x' }),
    ];
    expect(JSON.stringify(shown)).not.toContain(secret);
  });

  test('are different for each webhook, of 32 random bytes', async () => {
    const { webhooks } = application();
    const [a, b] = [await webhooks.create(input), await webhooks.create(input)];
    const secrets = [await webhooks.revealSecret(a.id), await webhooks.revealSecret(b.id)];
    expect(secrets[0]).not.toBe(secrets[1]);
    expect(parseSecret(secrets[0]).bytes).toHaveLength(32);
  });

  test('rotate: the new one is first, and the old one stays valid until the overlap ends', async () => {
    const channel = recordingChannel();
    const dispatcher = testDispatcher({ channels: [channel] });
    const { id, updatedAt } = await dispatcher.webhooks.create({
      name: 'w',
      eventTypes: ['*'],
      channels: [{ channel: 'webhook', configs: {} }],
    });
    const old = await dispatcher.webhooks.revealSecret(id);
    await dispatcher.advance('1m');
    const fresh = await dispatcher.webhooks.rotateSecret(id, { overlap: '2h' });
    expect(await dispatcher.webhooks.revealSecret(id)).toBe(fresh);
    const signing = async () => {
      await dispatcher.dispatch('a', 1);
      await dispatcher.drain();
      return channel.deliveries.at(-1)?.message.secrets.map((secret) => secret.reveal());
    };
    expect(await signing()).toEqual([fresh, old]);
    await dispatcher.advance('2h');
    expect(await signing()).toEqual([fresh]);
    expect((await dispatcher.webhooks.get(id)).updatedAt).toEqual(updatedAt);
  });

  test('may include ten old ones that are valid, not eleven', async () => {
    const { webhooks, advance } = application();
    const { id } = await webhooks.create(input);
    for (let i = 0; i < 10; i++) await webhooks.rotateSecret(id);
    await expect(webhooks.rotateSecret(id)).rejects.toMatchObject({ code: 'too_many_secrets' });
    await advance('24h');
    await webhooks.rotateSecret(id, { kind: 'v1a' });
    expect(await webhooks.revealSecret(id)).toMatch(/^whsk_/);
  });

  const base64 = (length: number) => Buffer.alloc(length, 7).toString('base64');
  test.each([
    '',
    'whsec_',
    'whsec_%',
    'short',
    `whsec_${base64(23)}`,
    `whsec_${base64(65)}`,
    `whsec_${base64(24).slice(0, -1)}`,
    `whsec_${base64(25)}=`,
    `whsec_${base64(25).slice(0, -1)}`,
    `whsec_${base64(25).replace(/.==$/, 'x')}`,
    `whsec_+/${'_'.repeat(30)}`,
    `hwsec_${base64(24)}`,
    `whpk_${base64(32)}`,
    `whsk_${base64(64)}`,
    `whsk_${base64(32)}`,
    ` whsec_${base64(24)}`,
  ])('refuse %j without repeating it', async (secret) => {
    const { webhooks } = application();
    const error = await webhooks.create({ ...input, secret }).catch((e) => e);
    expect(error).toMatchObject({ code: 'invalid_secret' });
    if (secret.length > 6) expect(error.message).not.toContain(secret);
    expect((await webhooks.list()).items).toEqual([]);
  });

  test.each<[string, BufferEncoding, number]>([
    ['whsec', 'base64', 25],
    ['whsec', 'base64', 26],
    ['whsec', 'base64url', 24],
    ['whsec', 'base64url', 64],
    ['whsk', 'base64url', 64],
  ])(
    '%s are accepted in %s without padding, and stored as the standard writes them',
    async (prefix, encoding, length) => {
      const { webhooks } = application();
      const bytes = prefix === 'whsk' ? parseSecret(createSecret('v1a')).bytes : Buffer.alloc(length, 251);
      const secret = `${prefix}_${bytes.toString(encoding).replaceAll('=', '')}`;
      const standard = `${prefix}_${bytes.toString('base64')}`;
      const { id } = await webhooks.create({ ...input, secret });
      expect(await webhooks.revealSecret(id)).toBe(standard);
      expect(await webhooks.rotateSecret(id, { secret: createSecret() })).toMatch(/^whsec_/);
      expect(await webhooks.rotateSecret(id, { secret })).toBe(standard);
      expect(await webhooks.revealSecret(id)).toBe(standard);
    },
  );

  test('of ed25519 are refused where their halves do not match, whatever the runtime accepts', () => {
    const [one, other] = [createSecret('v1a'), createSecret('v1a')].map((text) => parseSecret(text).bytes);
    const mixed = Buffer.concat([one!.subarray(0, 32), other!.subarray(32)]);
    const notAPoint = Buffer.concat([one!.subarray(0, 32), Buffer.alloc(32, 255)]);
    for (const bytes of [mixed, notAPoint]) {
      expect(() => parseSecret(`whsk_${bytes.toString('base64')}`)).toThrow(
        expect.objectContaining({
          code: 'invalid_secret',
          message: expect.stringContaining('its public key'),
        }),
      );
    }
  });

  test('of both kinds are created in a valid form', () => {
    expect(parseSecret(createSecret('v1'))).toMatchObject({ kind: 'v1' });
    expect(parseSecret(createSecret('v1a'))).toMatchObject({ kind: 'v1a' });
    expect(() => parseSecret(undefined)).toThrow(expect.objectContaining({ code: 'invalid_secret' }));
  });

  test('with a seed and the public key of another seed are refused, whatever the runtime accepts', () => {
    const [one, two] = [createSecret('v1a'), createSecret('v1a')].map((secret) => parseSecret(secret).bytes);
    const mixed = Buffer.concat([one!.subarray(0, 32), two!.subarray(32)]);
    expect(() => parseSecret(`whsk_${mixed.toString('base64')}`)).toThrow(
      expect.objectContaining({ code: 'invalid_secret' }),
    );
  });
});

describe('a test send', () => {
  test('reaches each channel at once, returns the results, and leaves no record', async () => {
    const channel = recordingChannel();
    const dispatcher = testDispatcher({ channels: [channel, strict] });
    const { id, channels } = await dispatcher.webhooks.create({
      ...input,
      isActive: false,
      channels: [
        { channel: 'strict', configs: { url: 'http://up' } },
        { channel: 'strict', configs: { url: 'http://down' } },
        { channel: 'webhook', configs: {} },
      ],
    });
    expect(await dispatcher.webhooks.test(id, { type: 'order.placed', payload: { n: 1 } })).toEqual([
      { bindingId: channels[0]?.id, channel: 'strict', verdict: { outcome: 'delivered', status: 200 } },
      {
        bindingId: channels[1]?.id,
        channel: 'strict',
        verdict: { outcome: 'failed', kind: 'refused', message: 'down' },
      },
      { bindingId: channels[2]?.id, channel: 'webhook', verdict: { outcome: 'delivered' } },
    ]);
    expect(channel.deliveries).toMatchObject([{ type: 'order.placed', payload: { n: 1 } }]);
    expect((await dispatcher.events.list()).items).toEqual([]);
    expect((await dispatcher.deliveries.list()).items).toEqual([]);
  });

  test('refuses a type or payload that could not be dispatched', async () => {
    const { webhooks } = application();
    const { id } = await webhooks.create(input);
    await expect(webhooks.test(id, { type: '*' })).rejects.toMatchObject({ code: 'invalid_event_type' });
    await expect(webhooks.test(id, { payload: 1n })).rejects.toMatchObject({ code: 'invalid_payload' });
  });
});

describe('a preview', () => {
  const url = 'http://a/canary-address';
  /** A channel whose preview shows its input. */
  const showing: Channel<{ url: string }> = {
    type: 'showing',
    config: z.strictObject({ url: z.string() }),
    secretPaths: [['url']],
    send: async () => {
      throw new Error('nothing may be sent');
    },
    async preview({ event, webhook, configs, secrets }) {
      const text = `${event.type} ${event.payload} to ${configs.url} by ${webhook.name}, ${secrets.length} keys`;
      return [{ name: 'body', type: 'text/plain', text }];
    },
  };
  const parts = (text: string) => [{ name: 'body', type: 'text/plain', text }];

  /** Returns the preview of a channel with this `preview`. */
  async function previewed(preview: typeof showing.preview, options: { attemptDeadline?: Duration } = {}) {
    const { webhooks } = testDispatcher({ channels: [{ ...showing, preview: preview! }], ...options });
    const { id } = await webhooks.create({ ...input, channels: [{ channel: 'showing', configs: { url } }] });
    const [result] = await webhooks.preview(id);
    return result;
  }

  test('renders a sample for each channel, sends nothing, and leaves no record', async () => {
    const silent = recordingChannel();
    const dispatcher = testDispatcher({ channels: [showing, silent] });
    const { id, channels } = await dispatcher.webhooks.create({
      ...input,
      isActive: false,
      channels: [
        { channel: 'showing', configs: { url } },
        { channel: 'webhook', configs: {} },
      ],
    });
    expect(await dispatcher.webhooks.preview(id, { type: 'order.placed', payload: { n: 1 } })).toEqual([
      {
        bindingId: channels[0]?.id,
        channel: 'showing',
        parts: parts('order.placed {"n":1} to *** by orders, 0 keys'),
        reason: null,
      },
      { bindingId: channels[1]?.id, channel: 'webhook', parts: null, reason: null },
    ]);
    expect(await dispatcher.webhooks.preview(id)).toMatchObject([
      { parts: parts('webhook.test {"test":true} to *** by orders, 0 keys') },
      { parts: null },
    ]);
    expect(silent.attempts).toEqual([]);
    expect((await dispatcher.events.list()).items).toEqual([]);
    expect((await dispatcher.deliveries.list()).items).toEqual([]);
  });

  test.each<[unknown, string]>([
    [new PosthornError('invalid_template', `line 1, column 2: ${url}`), 'line 1, column 2: ***'],
    [new RangeError('too far'), 'RangeError: too far'],
    [{ toString: null }, 'it threw an object'],
  ])('that cannot be rendered reports why: %#', async (error, reason) => {
    const failing = async () => {
      throw error;
    };
    expect(await previewed(failing)).toMatchObject({ parts: null, reason });
  });

  test('that does not return ends at the deadline of an attempt', async () => {
    const endless = () => new Promise<never>(() => {});
    expect(await previewed(endless, { attemptDeadline: '20ms' })).toMatchObject({
      parts: null,
      reason: 'Error: no preview within 20 ms',
    });
  });

  test('of a channel that is not registered says so', async () => {
    const storage = memoryStorage();
    const create = createDispatcher({ storage, channels: [showing] });
    const { id } = await create.webhooks.create({
      ...input,
      channels: [{ channel: 'showing', configs: { url } }],
    });
    const { webhooks } = createDispatcher({ storage, channels: [] });
    expect(await webhooks.preview(id)).toMatchObject([
      { parts: null, reason: 'no channel of this type is registered in this process' },
    ]);
  });

  test('refuses the same input as a test send', async () => {
    const { webhooks } = application();
    const { id } = await webhooks.create(input);
    await expect(webhooks.preview(id, { type: '*' })).rejects.toMatchObject({ code: 'invalid_event_type' });
    await expect(webhooks.preview(id, { payload: 1n })).rejects.toMatchObject({ code: 'invalid_payload' });
    await expect(webhooks.preview(id, { payload: 'x'.repeat(300_000) })).rejects.toMatchObject({
      code: 'payload_too_large',
    });
    await expect(webhooks.preview(id, { tenantId: 'other' })).rejects.toMatchObject({ code: 'not_found' });
    await expect(webhooks.preview('wh_0123456789')).rejects.toMatchObject({ code: 'not_found' });
    await expect(webhooks.preview(id, { sample: {} } as never)).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('webhooks.preview'),
    });
  });

  test('with a catalog, accepts types and payloads that could be dispatched', async () => {
    const events = defineEvents({ 'order.placed': z.strictObject({ total: z.number() }) });
    const { webhooks } = testDispatcher({ channels: [showing], events });
    const { id } = await webhooks.create({
      ...input,
      eventTypes: ['order.placed'],
      channels: [{ channel: 'showing', configs: { url } }],
    });
    const payload = { total: 5 };
    expect(await webhooks.preview(id, { type: 'order.placed', payload })).toMatchObject([{ reason: null }]);
    await expect(webhooks.preview(id, { type: 'order.placed', payload: {} })).rejects.toMatchObject({
      code: 'invalid_payload',
    });
    // @ts-expect-error: not in the catalog
    await expect(webhooks.preview(id, { type: 'order.paid' })).rejects.toMatchObject({
      code: 'unknown_event_type',
    });
  });
});
