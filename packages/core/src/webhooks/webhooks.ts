import { isDeepStrictEqual } from 'node:util';
import { truncate } from '../delivery/call-channel.js';
import { checkTenant, optionsOf, parse } from '../door.js';
import { type Duration, toMs } from '../duration.js';
import { PosthornError } from '../errors.js';
import { checkNames } from '../events/catalog.js';
import type { Announcer } from '../lifecycle.js';
import { defaultTenant, type TenantOption, webhookIdSchema } from '../models/fields.js';
import {
  type ChannelBinding,
  type Webhook,
  type WebhookInput,
  type WebhookPatch,
  webhookInputSchema,
  webhookPatchSchema,
} from '../models/webhook.js';
import { createSecret, parseSecret, type SecretKind } from '../secrets/secrets.js';
import type { Page } from '../storage/page.js';
import type { WebhookChange, WebhookRecord, WebhookStore } from '../storage/webhook-store.js';
import { bindingsIn, type GivenBinding, identified } from './bindings.js';
import { isTaken } from './is-taken.js';
import { reencrypt } from './reencrypt.js';
import { type SampleOptions, type Samples, samples } from './sample.js';
import { type WebhookListOptions, webhookFilter } from './webhook-list.js';

export interface RotateOptions extends TenantOption {
  /** The new secret, in either alphabet of base64. Default: one made by the engine, of `kind`. */
  readonly secret?: string;
  /** Default `v1`. */
  readonly kind?: SecretKind;
  /** How long the present one goes on signing, too: 0 where no key opens it (`secret_unreadable`). Default 24 hours. */
  readonly overlap?: Duration;
}

/** The application's side of webhooks. Each call sees one tenant's, and rejects with `not_found` for another's. */
export interface Webhooks extends Samples {
  /** Checks and stores; rejects with `invalid_webhook`, `invalid_option` for the tenant, or `conflict` where the id is taken. */
  create(input: WebhookInput): Promise<Webhook>;
  get(webhookId: string, options?: TenantOption): Promise<Webhook>;
  /** Whether a webhook has this id, whichever tenant's it is: `create` would reject with `conflict`. */
  isTaken(webhookId: string): Promise<boolean>;
  /** Newest first, 50 a page unless `limit` says otherwise (1 to 1,000). */
  list(options?: WebhookListOptions): Promise<Page<Webhook>>;
  /**
   * Changes what is given; what is equal already is no change. With `version`, rejects with `conflict` where the
   * webhook has changed since.
   */
  update(
    webhookId: string,
    patch: WebhookPatch,
    options?: TenantOption & { readonly version?: number },
  ): Promise<Webhook>;
  /**
   * Cancels what is pending. Resolves to false where there is no such webhook; with `version`, rejects with `conflict`
   * where it has changed since.
   */
  delete(webhookId: string, options?: TenantOption & { readonly version?: number }): Promise<boolean>;
  /** The secret that signs now: give it to whoever verifies. Besides `rotateSecret`, no call shows it. */
  revealSecret(webhookId: string, options?: TenantOption): Promise<string>;
  /** Puts a new secret in the old one's place and returns it as it is stored, in standard base64 with its padding; `too_many_secrets` while ten old ones still sign. */
  rotateSecret(webhookId: string, options?: RotateOptions): Promise<string>;
  /**
   * Encrypts anew, by the first of `encryption.keys`, what rests in the clear or by an older key, for all tenants, during
   * traffic. Resolves to how many webhooks were written, each with a new `version`: older keys are of no more use then.
   * Rejects when all is done with `secret_unreadable` where no key opens what some hold; `issues` name up to a thousand.
   */
  reencrypt(): Promise<number>;
}

export interface WebhooksOptions<Tx> extends SampleOptions {
  readonly store: WebhookStore<Tx>;
  readonly announcer: Announcer;
  /** Whether a pattern that matches nothing in the catalog is refused. */
  readonly refusesUnmatched: boolean;
  /** Whether the storage gathers digests. */
  readonly canGather: boolean;
  /** A webhook became active, or has new configs: something may be due. */
  readonly wake: () => void;
}

const maxOverlapMs = toMs('365d', 'overlap');
const maxReason = 500;

/** Webhooks, and what the engine itself does to one. */
export interface ManagedWebhooks extends Webhooks {
  /** Pauses a webhook whose receiver is gone, and keeps why; whoever does it first announces it. */
  disable(webhook: Pick<Webhook, 'id' | 'tenantId'>, reason: string): Promise<void>;
}

export function managedWebhooks<Tx>(context: WebhooksOptions<Tx>): ManagedWebhooks {
  const { store, channels, catalog, secrets, ids, now, announcer, canGather, wake } = context;
  const { refusesUnmatched } = context;

  async function find(webhookId: string, tenantId = defaultTenant): Promise<WebhookRecord> {
    const record = isWebhookId(webhookId) ? await store.get(tenantId, webhookId) : undefined;
    if (!record) throw new PosthornError('not_found', 'no webhook has this id');
    return record;
  }

  /** Writes what `change` makes of the present record; reads again where somebody else was faster. */
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

  /** Bindings as they are stored: with their ids, checked by their channels, and what is secret in them sealed. */
  async function sealedBindings(
    owner: Pick<Webhook, 'id' | 'tenantId'>,
    given: readonly GivenBinding[],
    present: readonly ChannelBinding[],
  ): Promise<ChannelBinding[]> {
    const { configs } = secrets;
    const named = identified(given, present, ids, (channel, own) => configs.mask(channel, own));
    const checked = await bindingsIn(configs.unmask(owner, named, present), channels, canGather);
    return configs.seal(owner, checked, present);
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
        channels: await sealedBindings(owner, rest.channels, []),
        secrets: [{ key: secrets.signingKeys.seal(owner, secret), expiresAt: null }],
      });
      const webhook = secrets.readable(record);
      announcer.announce('webhook:created', () => webhook);
      return webhook;
    },

    async get(webhookId, options) {
      const { tenantId } = optionsOf(options, ['tenantId'], 'webhooks.get');
      return secrets.readable(await find(webhookId, tenantId));
    },

    isTaken: async (webhookId) => isWebhookId(webhookId) && isTaken(store, webhookId),

    async list(options) {
      const { tenantId, filter } = webhookFilter(options);
      const page = await store.list(tenantId, filter);
      return { ...page, items: page.items.map(secrets.readable) };
    },

    async update(webhookId, patch, options) {
      const { tenantId, version } = optionsOf(options, ['tenantId', 'version'], 'webhooks.update');
      const given = parse(webhookPatchSchema, patch, 'invalid_webhook', 'webhook');
      if (given.eventTypes) checkNames(given.eventTypes, catalog, refusesUnmatched);
      const { record, isChanged } = await change(webhookId, tenantId, async (present) => {
        if (version !== undefined && version !== present.version) throw outdated(present, version);
        const bound = given.channels && (await sealedBindings(present, given.channels, present.channels));
        const wanted = {
          ...given,
          ...(bound && { channels: bound }),
          // Whether it is paused is the application's word from now on.
          ...(given.isActive !== undefined && { disabledReason: null }),
        };
        return Object.fromEntries(
          Object.entries(wanted).filter(
            ([field, value]) =>
              value !== undefined && !isDeepStrictEqual(value, present[field as keyof Webhook]),
          ),
        );
      });
      const webhook = secrets.readable(record);
      if (isChanged) {
        announcer.announce('webhook:updated', () => webhook);
        wake();
      }
      return webhook;
    },

    async delete(webhookId, options) {
      const known = ['tenantId', 'version'] as const;
      const { tenantId = defaultTenant, version } = optionsOf(options, known, 'webhooks.delete');
      // A storage would take null for no version at all.
      if (version !== undefined && !Number.isInteger(version)) {
        throw new PosthornError('invalid_option', 'version must be a whole number');
      }
      const isDeleted = isWebhookId(webhookId) && (await store.delete(tenantId, webhookId, version));
      if (!isDeleted && version !== undefined && isWebhookId(webhookId)) {
        const present = await store.get(tenantId, webhookId);
        if (present) throw outdated(present, version);
      }
      if (isDeleted) announcer.announce('webhook:deleted', () => ({ tenantId, webhookId }));
      return isDeleted;
    },

    async revealSecret(webhookId, options) {
      const { tenantId } = optionsOf(options, ['tenantId'], 'webhooks.revealSecret');
      const record = await find(webhookId, tenantId);
      return secrets.signingKeys.open(record, record.secrets[0]!.key);
    },

    async rotateSecret(webhookId, options) {
      const known = ['tenantId', 'secret', 'kind', 'overlap'] as const;
      const {
        tenantId,
        kind,
        secret: given = createSecret(kind),
        overlap = '24h',
      } = optionsOf(options, known, 'rotateSecret');
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

    ...samples(find, context),

    async disable({ id, tenantId }, reason) {
      const { record, isChanged } = await change(id, tenantId, ({ isActive }) =>
        isActive ? { isActive: false, disabledReason: truncate(reason, maxReason) } : {},
      );
      if (isChanged)
        announcer.announce('webhook:disabled', () => ({ webhook: secrets.readable(record), reason }));
    },
  };
}

/** What no webhook is ever called is not asked for: a storage may be unable to hold it. */
const isWebhookId = (id: unknown): id is string => webhookIdSchema.safeParse(id).success;

const outdated = (present: WebhookRecord, version: number): PosthornError =>
  new PosthornError('conflict', `webhook has version ${present.version} by now, not ${version}`);
