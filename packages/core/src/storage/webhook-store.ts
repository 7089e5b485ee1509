import type { Webhook } from '../models/webhook.js';
import type { Page, PageQuery } from './page.js';

/**
 * A key that signs the messages to a webhook: `whsec_…` (HMAC) or `whsk_…` (ed25519). Encrypted if encryption is on.
 */
export interface SigningSecret {
  readonly key: string;
  /** Until when it signs. Null for the current secret, which comes first. */
  readonly expiresAt: Date | null;
}

/** A webhook as it is stored, with the secrets that the application's reads leave out. */
export interface WebhookRecord extends Webhook {
  /** The current secret, then the old ones that still sign. */
  readonly secrets: readonly SigningSecret[];
}

/** A webhook to create. The storage sets `version` to 1, `disabledReason` to null, and both times by its clock. */
export type NewWebhook = Omit<WebhookRecord, 'disabledReason' | 'version' | 'createdAt' | 'updatedAt'>;

/** The fields of a webhook that an update may write. */
export type WebhookChange = Partial<
  Pick<WebhookRecord, 'name' | 'eventTypes' | 'channels' | 'isActive' | 'disabledReason' | 'secrets'>
>;

/** Selects the webhooks that match every given field. */
export interface WebhookFilter extends PageQuery {
  readonly isActive?: boolean;
  /** Those with at least one of these event types or patterns. */
  readonly keys?: readonly string[];
  /** The exact name. */
  readonly name?: string;
  /** How many matches to skip, after the cursor if there is one. Default 0. */
  readonly offset?: number;
  /** Whether the page has a `total`. Default false. */
  readonly withTotal?: boolean;
}

/** Stores webhooks. */
export interface WebhookStore<Tx = never> {
  /**
   * Creates a webhook. Rejects with `conflict` if any tenant has a webhook with this id. The id of a deleted webhook
   * can be used again; the new webhook gets nothing of the old one: no delivery, no setting, no place in a list.
   */
  create(webhook: NewWebhook, options?: { readonly tx?: Tx }): Promise<WebhookRecord>;
  /**
   * Finds a webhook. Rejects with `webhook_unreadable` if its stored record is damaged. Without a tenant, it finds the
   * webhook of any tenant: the engine checks this way whether an id is taken, and reveals nothing else.
   */
  get(tenantId: string | undefined, webhookId: string): Promise<WebhookRecord | undefined>;
  /**
   * Lists webhooks, the last created first. A damaged one is listed in the page's `unreadable`; the others are not
   * affected. Without a tenant, lists those of all tenants for the engine's own upkeep. The query then has only a
   * `limit` and a `cursor`, and the order is any in which a cursor can continue: a webhook that exists from the first
   * page to the last is on one of them.
   */
  list(tenantId: string | undefined, filter: WebhookFilter): Promise<Page<WebhookRecord>>;
  /**
   * Writes the given fields if the stored version is `version`, and adds one to the version. Otherwise, or if there is
   * no such webhook, writes nothing and resolves to undefined. `updatedAt` changes if a field other than `secrets` is
   * given, unless `keepUpdatedAt` is true: an internal rewrite, such as re-encryption. Pending deliveries follow at once:
   * those of a paused webhook wait, and those of a changed binding use its new configs.
   */
  update(
    tenantId: string,
    webhookId: string,
    version: number,
    change: WebhookChange,
    options?: { readonly keepUpdatedAt?: boolean },
  ): Promise<WebhookRecord | undefined>;
  /**
   * Deletes a webhook, and cancels its unfinished deliveries. Events, deliveries and attempts stay on record. Resolves
   * to false if there is no such webhook, or if a `version` is given and another one is stored.
   */
  delete(tenantId: string, webhookId: string, version?: number): Promise<boolean>;
}
