import type { Page, PageQuery } from './page.js';

/** What a key may be good for. `keys:write` is for keys themselves, and makes none that may do more than it may. */
export const scopes = [
  'webhooks:read',
  'webhooks:write',
  'events:write',
  'deliveries:read',
  'deliveries:write',
  'secrets:read',
  'keys:write',
] as const;

/** One of {@link scopes}. */
export type Scope = (typeof scopes)[number];

/** A key to the management API, as its tenant sees it: never the key itself. */
export interface ApiKey {
  /** `key_` and 10 characters; the key begins with them, too, so that both are found by each other. */
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  /** What the key says of itself, `sk_live_…` or `sk_test_…`: to tell them apart, and nothing else. */
  readonly mode: 'live' | 'test';
  readonly scopes: readonly Scope[];
  readonly createdAt: Date;
  /** From then on it opens nothing; null: never. */
  readonly expiresAt: Date | null;
  /** To about a minute; null where it was never used. */
  readonly lastUsedAt: Date | null;
  /** Null while it is not. */
  readonly revokedAt: Date | null;
}

export interface ApiKeyRecord extends ApiKey {
  /** The SHA-256 of the key, base64url. */
  readonly hash: string;
}

/** The storage sets the instants, but for `expiresAt`, by its clock. */
export type NewApiKey = Omit<ApiKeyRecord, 'createdAt' | 'lastUsedAt' | 'revokedAt'>;

/** Keeps API keys. For its methods holds what ports.ts says for those of a storage. */
export interface ApiKeyStore {
  /** Rejects with `conflict` where the id is taken, by whichever tenant. */
  create(key: NewApiKey): Promise<ApiKeyRecord>;
  /**
   * The key of this id, of whichever tenant: it is asked before anybody knows whose it is. Undefined where there is
   * none, and from the moment on when it is revoked or, by the storage's clock, expired.
   */
  find(keyId: string): Promise<ApiKeyRecord | undefined>;
  /** Newest first, revoked and expired ones included. */
  list(tenantId: string, query: PageQuery): Promise<Page<ApiKeyRecord>>;
  /** Ends it for good; a second time changes nothing. Undefined where the tenant has no such key. */
  revoke(tenantId: string, keyId: string): Promise<ApiKeyRecord | undefined>;
  /** Sets `lastUsedAt` to now; does nothing where there is no such key. */
  touch(keyId: string): Promise<void>;
}
