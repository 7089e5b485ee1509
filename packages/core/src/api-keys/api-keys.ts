import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { optionsOf, parse } from '../door.js';
import { PosthornError } from '../errors.js';
import type { Announcer } from '../lifecycle.js';
import {
  apiKeyIdSchema,
  defaultTenant,
  nameSchema,
  oneOf,
  type TenantOption,
  tenantIdSchema,
} from '../models/fields.js';
import { secretLetters } from '../models/ids.js';
import type { DocumentStore } from '../storage/document-store.js';
import { type Page, type PageQuery, pageQuery } from '../storage/page.js';
import { type ApiKey, scopes } from './api-key.js';
import { type ApiKeyRecord, type ApiKeyStore, apiKeyStore, type FoundApiKey } from './api-key-store.js';
import { ShortMemory } from './short-memory.js';

/*
 * A key is `sk_live_` or `sk_test_`, the ten characters of its id, by which it is looked up, and 27 of chance: 160 bits.
 * So much chance needs no slow hash: what is stored is its SHA-256, and nobody guesses what has it.
 */

const idLength = 10;
const secretLength = 27;
const keyForm = new RegExp(`^sk_(?:live|test)_([0-9A-Za-z]{${idLength}})[0-9A-Za-z]{${secretLength}}$`);
const keyLength = 'sk_live_'.length + idLength + secretLength;

/** What is revoked elsewhere opens nothing here after so long, and a storage is asked for a key twice a second. */
const maxAgeMs = 500;
const touchEveryMs = 60_000;
const maxRemembered = 10_000;

const inputSchema = (now: () => number) =>
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

/** What an application hands to `apiKeys.create`. Defaults: `mode` is `live`, `expiresAt` null: never. */
export type ApiKeyInput = z.input<ReturnType<typeof inputSchema>>;
const fields = ['tenantId', 'name', 'mode', 'scopes', 'expiresAt'] as const;

export interface CreatedApiKey {
  readonly apiKey: ApiKey;
  /** The key itself. Show it to whoever is to use it, now: it is kept nowhere. */
  readonly key: string;
}

export interface ApiKeyListOptions extends TenantOption, Partial<PageQuery> {}

/** Keys to the management API. Each call but `verify` sees one tenant's. */
export interface ApiKeys {
  /** Whether the storage keeps any; where not, each call rejects with `invalid_option`. */
  readonly areKept: boolean;
  /** Rejects with `invalid_option` for a field that is wrong or that nobody knows; `issues` name each wrong one. */
  create(input: ApiKeyInput): Promise<CreatedApiKey>;
  /** Newest first, 50 a page unless `limit` says otherwise (1 to 1,000); revoked and expired ones, too. */
  list(options?: ApiKeyListOptions): Promise<Page<ApiKey>>;
  /**
   * Ends a key for good: in this process at once, in every other within half a second. A second time changes nothing.
   * Rejects with `not_found` where the tenant has no such key.
   */
  revoke(keyId: string, options?: TenantOption): Promise<ApiKey>;
  /**
   * Whose key this is, and what it is good for; undefined for what is none, or is revoked or expired. Never undefined
   * because the storage failed: then it rejects with `storage_failed`.
   */
  verify(key: string): Promise<ApiKey | undefined>;
}

/** The keys that are kept in `documents`; undefined where the storage has none. */
export function apiKeysIn(
  documents: DocumentStore | undefined,
  now: () => number,
  announcer: Announcer,
): ApiKeys {
  const given = documents && apiKeyStore(documents);
  /** By the hash of what was shown, so that a wrong key never meets a right one. */
  const lookups = new ShortMemory<Promise<FoundApiKey | undefined>>(maxAgeMs, maxRemembered, now);
  /** Keys whose use is on record. */
  const touched = new ShortMemory<true>(touchEveryMs, maxRemembered, now);
  const schema = inputSchema(now);

  function storeIn(): ApiKeyStore {
    if (given) return given;
    throw new PosthornError(
      'invalid_option',
      'this storage keeps no API keys: take one that supports documents, or have the API authenticate by a function of your own',
    );
  }

  async function lookUp(store: ApiKeyStore, keyId: string, hash: string): Promise<FoundApiKey | undefined> {
    const record = await store.find(keyId);
    return isHashOf(record, hash) ? record : undefined;
  }

  /** The record of a key: calls at the same time share the storage's answer, and those right after them have it, too. */
  function recordOf(store: ApiKeyStore, keyId: string, hash: string): Promise<FoundApiKey | undefined> {
    const known = lookups.get(hash);
    if (known) return known;
    const lookup = lookUp(store, keyId, hash);
    lookups.set(hash, lookup);
    const forget = (): void => {
      if (lookups.get(hash) === lookup) lookups.delete(hash);
    };
    lookup.then((record) => record ?? forget(), forget);
    return lookup;
  }

  function touch(store: ApiKeyStore, found: FoundApiKey): void {
    if (touched.get(found.id)) return;
    touched.set(found.id, true);
    store.touch(found).catch((error: PosthornError) => announcer.announce('error', () => error));
  }

  return {
    areKept: given !== undefined,

    async create(input) {
      const store = storeIn();
      const known = optionsOf(input as ApiKeyInput | undefined, fields, 'apiKeys.create');
      const { mode, ...rest } = parse(schema, known, 'invalid_option', 'API key');
      const letters = secretLetters(idLength + secretLength);
      const key = `sk_${mode}_${letters}`;
      const id = `key_${letters.slice(0, idLength)}`;
      const record = await store.create({ ...rest, id, mode, hash: hashOf(key) });
      return { apiKey: apiKeyOf(record), key };
    },

    async list(options) {
      const known = ['tenantId', 'limit', 'cursor'] as const;
      const { tenantId = defaultTenant, ...query } = optionsOf(options, known, 'apiKeys.list');
      const page = await storeIn().list(tenantId, pageQuery(query));
      return { ...page, items: page.items.map(apiKeyOf) };
    },

    async revoke(keyId, options) {
      const store = storeIn();
      const { tenantId = defaultTenant } = optionsOf(options, ['tenantId'], 'apiKeys.revoke');
      const isId = apiKeyIdSchema.safeParse(keyId).success;
      const record = isId ? await store.revoke(tenantId, keyId) : undefined;
      if (!record) throw new PosthornError('not_found', 'no API key has this id');
      // After it is written: a look-up of before would be remembered otherwise.
      lookups.delete(record.hash);
      return apiKeyOf(record);
    },

    async verify(key) {
      const store = storeIn();
      // Its length first: what comes in may be of any, and is not read through.
      if (typeof key !== 'string' || key.length !== keyLength) return undefined;
      const [, letters] = keyForm.exec(key) ?? [];
      if (letters === undefined) return undefined;
      const record = await recordOf(store, `key_${letters}`, hashOf(key));
      if (!record || isOver(record, now())) return undefined;
      touch(store, record);
      return apiKeyOf(record);
    },
  };
}

const hashOf = (key: string): string => hash('sha256', key, 'base64url');

const hashBytes = 32;
/** What an unknown key is compared with, so that it takes as long as a known one. */
const nobodysHash = randomBytes(hashBytes);

function isHashOf(record: ApiKeyRecord | undefined, hash: string): boolean {
  const stored = Buffer.from(record?.hash ?? '', 'base64url');
  const isHash = stored.length === hashBytes;
  return timingSafeEqual(isHash ? stored : nobodysHash, Buffer.from(hash, 'base64url')) && isHash;
}

/** The storage has said so by its clock; of what is remembered, this process's is good enough. */
const isOver = ({ revokedAt, expiresAt }: ApiKeyRecord, now: number): boolean =>
  revokedAt !== null || (expiresAt !== null && expiresAt.getTime() <= now);

/** A copy without the hash: what a caller does with it changes nothing that is remembered. */
function apiKeyOf(record: ApiKeyRecord): ApiKey {
  const { id, tenantId, name, mode, createdAt, expiresAt, lastUsedAt, revokedAt } = record;
  return {
    id,
    tenantId,
    name,
    mode,
    scopes: [...record.scopes],
    createdAt: new Date(createdAt),
    expiresAt: expiresAt && new Date(expiresAt),
    lastUsedAt: lastUsedAt && new Date(lastUsedAt),
    revokedAt: revokedAt && new Date(revokedAt),
  };
}
