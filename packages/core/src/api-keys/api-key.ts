/**
 * The permissions of API keys. A key with `keys:write` manages keys, and can only create keys with scopes that it has.
 */
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

/** The record of an API key, without the key itself. */
export interface ApiKey {
  /**
   * `key_` and 10 letters or digits. The key has the same ten after its prefix, so that one can be found by the other.
   */
  readonly id: string;
  readonly tenantId: string;
  /** For people. */
  readonly name: string;
  /** The prefix of the key: `sk_live_` or `sk_test_`. A label, without an effect. */
  readonly mode: 'live' | 'test';
  /** What the key permits. */
  readonly scopes: readonly Scope[];
  readonly createdAt: Date;
  /** From when on it is invalid. Null: never. */
  readonly expiresAt: Date | null;
  /** When it was last used, accurate to about a minute. Null if never. */
  readonly lastUsedAt: Date | null;
  /** When it was revoked. Null while it is not. */
  readonly revokedAt: Date | null;
}
