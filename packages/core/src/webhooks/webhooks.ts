import { isDeepStrictEqual } from 'node:util';
import type { AnyChannel, BindingInputOf, Channel } from '../channels/channel.js';
import { truncate } from '../delivery/call-channel.js';
import { toMs } from '../duration.js';
import { PosthornError } from '../errors.js';
import { checkNames } from '../events/catalog.js';
import type { LifecycleEmitter } from '../lifecycle.js';
import type { PatternOf } from '../matching.js';
import { defaultTenant, type TenantOption, webhookIdSchema } from '../models/fields.js';
import {
  type ChannelBinding,
  type Webhook,
  type WebhookInput,
  type WebhookPatch,
  webhookInputSchema,
  webhookPatchSchema,
} from '../models/webhook.js';
import { createSecret, parseSecret } from '../secrets/secrets.js';
import type { Page } from '../storage/page.js';
import type { WebhookChange, WebhookRecord, WebhookStore } from '../storage/webhook-store.js';
import { checkTenant, parse, parseOptions } from '../validation.js';
import { assignBindingIds, type GivenBinding, validateBindings } from './binding-validation.js';
import { isTaken } from './is-taken.js';
import { type WebhookListOptions, webhookFilter } from './list-filter.js';
import { reencrypt } from './reencrypt.js';
import { createTestEvents, type SampleOptions, type Samples } from './test-event.js';
import type { RotateOptions, VersionOption } from './write-options.js';

/**
 * Manages the webhooks of one tenant at a time. The webhook of another tenant is `not_found`.
 *
 * Takes the event types of the catalog, patterns that match one of them, and the channels of the dispatcher with their configs.
 * Text that only the running program knows, from a form or a database, goes through `const webhooks: Webhooks =
 * dispatcher.webhooks`, which takes any. Both check the same when they are called.
 */
export interface Webhooks<EventType extends string = string, Channels extends AnyChannel = Channel>
  extends Samples<EventType> {
  /** Rejects with `invalid_webhook`, `invalid_option` for a wrong tenant, or `conflict` if the id is taken. */
  create(input: WebhookInput<PatternOf<EventType>, BindingInputOf<Channels>>): Promise<Webhook>;
  /** Resolves to the webhook, with `***` in place of its secret configs. */
  get(webhookId: string, options?: TenantOption): Promise<Webhook>;
  /** Whether any tenant has a webhook with this id, so that `create` would reject with `conflict`. */
  isTaken(webhookId: string): Promise<boolean>;
  /** Lists webhooks, newest first. `limit` is 1 to 1,000, by default 50. */
  list(options?: WebhookListOptions<EventType>): Promise<Page<Webhook>>;
  /**
   * Changes the given fields. A field with an equal value does not count as changed. With `version`, rejects with
   * `conflict` if the webhook has another version by now. A webhook that was read is text of the running program: what is
   * made of its `channels` or `eventTypes` goes through `const webhooks: Webhooks`.
   */
  update(
    webhookId: string,
    patch: WebhookPatch<PatternOf<EventType>, BindingInputOf<Channels>>,
    options?: VersionOption,
  ): Promise<Webhook>;
  /** Cancels its pending deliveries. False if there is no such webhook. `conflict` if it has another `version`. */
  delete(webhookId: string, options?: VersionOption): Promise<boolean>;
  /** Resolves to the current signing secret, for the receiver to verify with. Only `rotateSecret` shows it besides. */
  revealSecret(webhookId: string, options?: TenantOption): Promise<string>;
  /** Resolves to the new secret, in standard base64 with padding. `too_many_secrets` while ten old ones still sign. */
  rotateSecret(webhookId: string, options?: RotateOptions): Promise<string>;
  /**
   * Encrypts all secrets of all tenants with the first of `encryption.keys`, during traffic. Older keys are not needed
   * after that. Resolves to the number of webhooks written, each with a new `version`. Rejects at the end with
   * `secret_unreadable` if some are damaged, or no key decrypts them; `issues` has up to 1,000 of these.
   */
  reencrypt(): Promise<number>;
}

/** What {@link createWebhooks} needs of the engine. */
export interface WebhooksOptions<Tx> extends SampleOptions {
  readonly store: WebhookStore<Tx>;
  readonly lifecycle: LifecycleEmitter;
  /** Whether a pattern that matches nothing in the catalog is refused. */
  readonly refusesUnmatched: boolean;
  /** Whether the storage supports digests. */
  readonly canGather: boolean;
  /** Called when a delivery may be due: a webhook became active, or has new configs. */
  readonly wake: () => void;
}

const maxOverlapMs = toMs('365d', 'overlap');
const maxReason = 500;

/** The webhooks, with the calls that the engine itself makes. */
export interface ManagedWebhooks extends Webhooks {
  /** Pauses a webhook whose receiver is gone, and stores the reason. Of concurrent calls, only one emits the event. */
  disable(webhook: Pick<Webhook, 'id' | 'tenantId'>, reason: string): Promise<void>;
}

export function createWebhooks<Tx>(context: WebhooksOptions<Tx>): ManagedWebhooks {
  const { store, channels, catalog, secrets, ids, now, lifecycle, canGather, wake } = context;
  const { refusesUnmatched } = context;

  async function find(webhookId: string, tenantId = defaultTenant): Promise<WebhookRecord> {
    const record = isWebhookId(webhookId) ? await store.get(tenantId, webhookId) : undefined;
    if (!record) throw new PosthornError('not_found', 'no webhook has this id');
    return record;
  }

  /** Writes the fields that `next` returns for the present record. Reads it again if it was changed meanwhile. */
  async function change(
    webhookId: string,
    tenantId: string | undefined,
    next: (record: WebhookRecord) => Promise<WebhookChange> | WebhookChange,
  ): Promise<{ record: WebhookRecord; isChanged: boolean }> {
    for (;;) {
      const record = await find(webhookId, tenantId);
      const fields = await next(record);
      if (Object.keys(fields).length === 0) return { record, isChanged: false };
      const written = await store.update(record.tenantId, webhookId, record.version, fields);
      if (written) return { record: written, isChanged: true };
    }
  }

  /** Resolves to bindings as they are stored: with ids, checked by their channels, and with encrypted secrets. */
  async function encryptedBindings(
    owner: Pick<Webhook, 'id' | 'tenantId'>,
    given: readonly GivenBinding[],
    present: readonly ChannelBinding[],
  ): Promise<ChannelBinding[]> {
    const { configs } = secrets;
    const named = assignBindingIds(given, present, ids, (channel, own) => configs.mask(channel, own));
    const checked = await validateBindings(configs.unmask(owner, named, present), channels, canGather);
    return configs.encrypt(owner, checked, present);
  }

  return {
    async create(input) {
      checkTenant((input as Partial<WebhookInput> | undefined)?.tenantId, 'webhooks.create');
      const {
        id = ids.webhook(),
        secret: given = createSecret(),
        ...rest
      } = parse(webhookInputSchema, input, 'invalid_webhook', 'webhook');
      const { text: secret } = parseSecret(given);
      checkNames(rest.eventTypes, catalog, refusesUnmatched);
      const owner = { id, tenantId: rest.tenantId };
      const record = await store.create({
        ...rest,
        id,
        channels: await encryptedBindings(owner, rest.channels, []),
        secrets: [{ key: secrets.signingKeys.encrypt(owner, secret), expiresAt: null }],
      });
      const webhook = secrets.maskWebhook(record);
      lifecycle.emit('webhook:created', () => webhook);
      return webhook;
    },

    async get(webhookId, options) {
      const { tenantId } = parseOptions(options, ['tenantId'], 'webhooks.get');
      return secrets.maskWebhook(await find(webhookId, tenantId));
    },

    isTaken: async (webhookId) => isWebhookId(webhookId) && isTaken(store, webhookId),

    async list(options) {
      const { tenantId, filter } = webhookFilter(options);
      const page = await store.list(tenantId, filter);
      return { ...page, items: page.items.map(secrets.maskWebhook) };
    },

    async update(webhookId, patch, options) {
      const { tenantId, version } = parseOptions(options, ['tenantId', 'version'], 'webhooks.update');
      const given = parse(webhookPatchSchema, patch, 'invalid_webhook', 'webhook');
      if (given.eventTypes) checkNames(given.eventTypes, catalog, refusesUnmatched);
      const { record, isChanged } = await change(webhookId, tenantId, async (present) => {
        if (version !== undefined && version !== present.version) throw outdated(present, version);
        const bound = given.channels && (await encryptedBindings(present, given.channels, present.channels));
        const wanted = {
          ...given,
          ...(bound && { channels: bound }),
          // From now on the application decides whether it is paused.
          ...(given.isActive !== undefined && { disabledReason: null }),
        };
        return Object.fromEntries(
          Object.entries(wanted).filter(
            ([field, value]) =>
              value !== undefined && !isDeepStrictEqual(value, present[field as keyof Webhook]),
          ),
        );
      });
      const webhook = secrets.maskWebhook(record);
      if (isChanged) {
        lifecycle.emit('webhook:updated', () => webhook);
        wake();
      }
      return webhook;
    },

    async delete(webhookId, options) {
      const known = ['tenantId', 'version'] as const;
      const { tenantId = defaultTenant, version } = parseOptions(options, known, 'webhooks.delete');
      // A storage would treat null as no version.
      if (version !== undefined && !Number.isInteger(version)) {
        throw new PosthornError('invalid_option', 'version must be a whole number');
      }
      const isDeleted = isWebhookId(webhookId) && (await store.delete(tenantId, webhookId, version));
      if (!isDeleted && version !== undefined && isWebhookId(webhookId)) {
        const present = await store.get(tenantId, webhookId);
        if (present) throw outdated(present, version);
      }
      if (isDeleted) lifecycle.emit('webhook:deleted', () => ({ tenantId, webhookId }));
      return isDeleted;
    },

    async revealSecret(webhookId, options) {
      const { tenantId } = parseOptions(options, ['tenantId'], 'webhooks.revealSecret');
      const record = await find(webhookId, tenantId);
      return secrets.signingKeys.decrypt(record, record.secrets[0]!.key);
    },

    async rotateSecret(webhookId, options) {
      const known = ['tenantId', 'secret', 'kind', 'overlap'] as const;
      const {
        tenantId,
        kind,
        secret: given = createSecret(kind),
        overlap = '24h',
      } = parseOptions(options, known, 'rotateSecret');
      const { text: secret } = parseSecret(given);
      const overlapMs = toMs(overlap, 'overlap');
      if (overlapMs > maxOverlapMs)
        throw new PosthornError('invalid_option', 'overlap must be at most 365 days');
      const expiresAt = new Date(now() + overlapMs);
      await change(webhookId, tenantId, (record) => ({
        secrets: secrets.signingKeys.rotated(record, secret, expiresAt, now()),
      }));
      return secret;
    },

    reencrypt: () => reencrypt(store, secrets),

    ...createTestEvents(find, context),

    async disable({ id, tenantId }, reason) {
      const { record, isChanged } = await change(id, tenantId, ({ isActive }) =>
        isActive ? { isActive: false, disabledReason: truncate(reason, maxReason) } : {},
      );
      if (isChanged)
        lifecycle.emit('webhook:disabled', () => ({ webhook: secrets.maskWebhook(record), reason }));
    },
  };
}

/** Whether a webhook can have this id. Other values do not reach the storage, which may be unable to represent them. */
const isWebhookId = (id: unknown): id is string => webhookIdSchema.safeParse(id).success;

const outdated = (present: WebhookRecord, version: number): PosthornError =>
  new PosthornError('conflict', `webhook has version ${present.version}, not ${version}: read it again`);
