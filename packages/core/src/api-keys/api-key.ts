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
