import type { Webhook } from '../models/webhook.js';
import type { Page, PageQuery } from './page.js';

/** A key that signs what a webhook receives: `whsec_…` (HMAC) or `whsk_…` (ed25519), sealed where there are keys. */
export interface SigningSecret {
  readonly key: string;
  /** Signs until then; null for the present one, which comes first. */
  readonly expiresAt: Date | null;
}

/** A webhook as it is stored, with what no read of the application shows. */
export interface WebhookRecord extends Webhook {
  readonly secrets: readonly SigningSecret[];
}

/** The storage sets `version` to 1, `disabledReason` to null, and `createdAt` and `updatedAt` by its clock. */
export type NewWebhook = Omit<WebhookRecord, 'disabledReason' | 'version' | 'createdAt' | 'updatedAt'>;

export type WebhookChange = Partial<
  Pick<WebhookRecord, 'name' | 'eventTypes' | 'channels' | 'isActive' | 'disabledReason' | 'secrets'>
>;

export interface WebhookFilter extends PageQuery {
  readonly isActive?: boolean;
  /** Those that hold any of these keys among their event types. */
  readonly keys?: readonly string[];
  /** Those of this very name. */
  readonly name?: string;
  /** Passes over so many first, after the cursor where there is one. Default 0. */
  readonly offset?: number;
  /** Asks for the page's `total`. Default false. */
  readonly withTotal?: boolean;
}

export interface WebhookStore<Tx = never> {
  /**
   * Rejects with `conflict` where the id is taken, by whichever tenant. One that a deletion freed can be had again, and
   * brings nothing back: no delivery, no setting, no place in a list.
   */
  create(webhook: NewWebhook, options?: { readonly tx?: Tx }): Promise<WebhookRecord>;
  /**
   * Rejects with `webhook_unreadable` where what is stored of it is damaged. Without a tenant it finds the webhook of
   * whichever tenant has the id: the engine asks so whether an id is taken, and tells nothing else of it.
   */
  get(tenantId: string | undefined, webhookId: string): Promise<WebhookRecord | undefined>;
  /**
   * The one that was created last comes first. A damaged one is among the page's `unreadable`, and hides no other.
   * Without a tenant: the webhooks of all tenants, for the engine's own upkeep. The query has a `limit` and a `cursor` then,
   * and the order is any that a cursor can go on in; a webhook that is there from the first page to the last is on one.
   */
  list(tenantId: string | undefined, filter: WebhookFilter): Promise<Page<WebhookRecord>>;
  /**
   * Writes the given fields where the stored version is `version`, and adds one to it; resolves to undefined, and
   * writes nothing, where it is another or there is no such webhook. `updatedAt` moves if a field other than
   * `secrets` is given, unless `isUpkeep` says that nobody has changed anything. Pending deliveries follow at once: a
   * paused webhook's wait, a binding's use its new configs.
   */
  update(
    tenantId: string,
    webhookId: string,
    version: number,
    change: WebhookChange,
    options?: { readonly isUpkeep?: boolean },
  ): Promise<WebhookRecord | undefined>;
  /**
   * Cancels what is not finished; what happened stays on record. False where there is no such webhook or, where a
   * `version` is given, it is stored with another.
   */
  delete(tenantId: string, webhookId: string, version?: number): Promise<boolean>;
}
