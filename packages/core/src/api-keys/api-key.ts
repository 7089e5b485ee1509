import { z } from 'zod';
import { defaultTenant, nameSchema, oneOf, tenantIdSchema } from '../models/fields.js';

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

/** The input of `apiKeys.create`. */
export interface ApiKeyInput {
  /** Default: {@link defaultTenant}. */
  readonly tenantId?: string | undefined;
  /** For people: 1 to 200 characters, without control characters. */
  readonly name: string;
  /** The prefix of the key: `sk_live_` or `sk_test_`. A label, without an effect. Default `live`. */
  readonly mode?: 'live' | 'test' | undefined;
  /** What the key permits: at least one of {@link scopes}, each once. */
  readonly scopes: readonly Scope[];
  /** From when on it is invalid: a time in the future, before the year 10000. Default null: never. */
  readonly expiresAt?: Date | null | undefined;
}

/** An {@link ApiKeyInput}. */
export const apiKeyInputSchema = (now: () => number) =>
  z.strictObject({
    tenantId: tenantIdSchema.default(defaultTenant),
    name: nameSchema,
    mode: oneOf(['live', 'test']).default('live'),
    scopes: z
      .array(oneOf(scopes))
      .min(1, { error: 'must hold at least one scope' })
      .refine((given) => new Set(given).size === given.length, { error: 'must hold each scope once' })
      .readonly(),
    expiresAt: z
      .date()
      .refine((at) => at.getTime() > now() && at.getUTCFullYear() <= 9999, {
        error: 'must lie in the future, and before the year 10000',
      })
      .nullable()
      .default(null),
  });
