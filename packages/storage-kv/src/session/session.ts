import { isPosthornError } from '@posthorn/core';
import type { WebhookRecord } from '@posthorn/core/storage';
import { decodeEntry, type Entry, encodeEntry } from '../rows/entry.js';
import type { StoredWebhook } from '../rows/webhook-row.js';
import type { Draft } from '../space/draft.js';
import { Lanes } from './lanes.js';
import type { WebhookCache } from './webhook-cache.js';

/** Runs a call of the storage in a transaction. */
export type Run = <T>(work: (session: Session) => Promise<T>) => Promise<T>;

/** What one call of the storage works with: its transaction, the time it is made at, and numbers to give out. */
export class Session {
  readonly draft: Draft;
  /** By the storage's clock, in milliseconds since 1970. */
  readonly now: number;
  readonly lanes: Lanes;
  readonly #cache: WebhookCache;
  #last: number;
  #given = false;

  private constructor(draft: Draft, now: number, cache: WebhookCache, last: number) {
    this.draft = draft;
    this.now = now;
    this.#cache = cache;
    this.#last = last;
    this.lanes = new Lanes(this);
  }

  /** Runs one call of the storage. */
  static async run<T>(
    draft: Draft,
    now: number,
    cache: WebhookCache,
    work: (session: Session) => Promise<T>,
  ): Promise<T> {
    const session = new Session(draft, now, cache, Number((await draft.get('c')) ?? 0));
    const result = await work(session);
    await session.lanes.arrange();
    if (session.#given) draft.set('c', String(session.#last));
    return result;
  }

  /** A number that is greater than all that were given out before. */
  number(): number {
    this.#given = true;
    return ++this.#last;
  }

  /** The webhook of this id, of whichever tenant. Throws `webhook_unreadable`. */
  webhook(id: string): Promise<StoredWebhook | undefined> {
    return this.#cache.find(this.draft, id);
  }

  /** Each active webhook of the tenant that holds one of `patterns`, once. */
  matching(tenantId: string, patterns: readonly string[]): Promise<readonly StoredWebhook[]> {
    return this.#cache.matching(this.draft, tenantId, patterns);
  }

  /**
   * The webhook that a delivery goes to; undefined where it is gone, also where another has its id, or is damaged: then what
   * is due waits.
   */
  async webhookOf({
    webhookId,
    webhook,
  }: Pick<Entry, 'webhookId' | 'webhook'>): Promise<WebhookRecord | undefined> {
    const found = await this.readableWebhook(webhookId);
    return found?.number === webhook ? found.record : undefined;
  }

  /** The webhook of this id; undefined where there is none, or what is stored of it is damaged. */
  async readableWebhook(id: string): Promise<StoredWebhook | undefined> {
    try {
      return await this.webhook(id);
    } catch (error) {
      if (isPosthornError(error) && error.code === 'webhook_unreadable') return undefined;
      throw error;
    }
  }

  async entry(key: string): Promise<Entry | undefined> {
    const text = await this.draft.get(key);
    return text === undefined ? undefined : decodeEntry(key, text);
  }

  save(entry: Entry): void {
    this.draft.set(entry.key, encodeEntry(entry));
  }
}
