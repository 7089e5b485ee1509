import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { PosthornError } from '../errors.js';
import type { LifecycleEmitter } from '../lifecycle.js';
import { apiKeyIdSchema, defaultTenant, type TenantOption } from '../models/fields.js';
import { secretLetters } from '../models/ids.js';
import type { DocumentStore } from '../storage/document-store.js';
import { type Page, type PageQuery, pageQuery } from '../storage/page.js';
import { parse, parseOptions } from '../validation.js';
import { type ApiKey, type ApiKeyInput, apiKeyInputSchema } from './api-key.js';
import {
  type ApiKeyRecord,
  type ApiKeyStore,
  apiKeyStore,
  type FoundApiKey,
  isOver,
} from './api-key-store.js';
import { TtlCache } from './ttl-cache.js';

/*
 * A key is `sk_live_` or `sk_test_`, then the ten characters of its id, by which it is looked up, then 27 random
 * characters: 160 bits. A random key of this length needs no slow hash: it is stored as its SHA-256, which cannot be
 * inverted by guessing.
 */

const idLength = 10;
const secretLength = 27;
const keyForm = new RegExp(`^sk_(?:live|test)_([0-9A-Za-z]{${idLength}})[0-9A-Za-z]{${secretLength}}$`);
const keyLength = 'sk_live_'.length + idLength + secretLength;

/**
 * How long a lookup is cached: a key that another process revokes is invalid here after this time. A key in constant
 * use costs two lookups a second.
 */
const maxAgeMs = 500;
const touchEveryMs = 60_000;
const maxRemembered = 10_000;

const fields = ['tenantId', 'name', 'mode', 'scopes', 'expiresAt'] as const;

/** The result of `apiKeys.create`. */
export interface CreatedApiKey {
  readonly apiKey: ApiKey;
  /** The key itself. Show it to its user now: only its hash is stored. */
  readonly key: string;
}

/** The options of `apiKeys.list`. */
export interface ApiKeyListOptions extends TenantOption, Partial<PageQuery> {}

/** Manages the keys to the management API. Every call except `verify` works on one tenant. */
export interface ApiKeys {
  /** Whether the storage supports API keys. If not, every call rejects with `invalid_option`. */
  readonly areKept: boolean;
  /** Creates a key. Rejects with `invalid_option` for a wrong or unknown field; `issues` has each one. */
  create(input: ApiKeyInput): Promise<CreatedApiKey>;
  /** Lists keys, newest first, including revoked and expired ones. `limit` is 1 to 1,000, by default 50. */
  list(options?: ApiKeyListOptions): Promise<Page<ApiKey>>;
  /**
   * Revokes a key for good: in this process at once, in all others within half a second. A second call changes nothing.
   * Rejects with `not_found` if the tenant has no such key.
   */
  revoke(keyId: string, options?: TenantOption): Promise<ApiKey>;
  /**
   * Resolves to the record of a key, with its tenant and scopes. Resolves to undefined for an unknown, revoked or
   * expired key. If the storage fails, it rejects with `storage_failed`.
   */
  verify(key: string): Promise<ApiKey | undefined>;
}

/** Creates the calls that manage API keys. `documents` is undefined if the storage has none. */
export function createApiKeys(
  documents: DocumentStore | undefined,
  now: () => number,
  lifecycle: LifecycleEmitter,
): ApiKeys {
  const given = documents && apiKeyStore(documents);
  /** Lookups by the hash of the given key, so that a wrong key never shares the lookup of the right one. */
  const lookups = new TtlCache<Promise<FoundApiKey | undefined>>(maxAgeMs, maxRemembered, now);
  /** The ids of keys whose use was recently recorded. */
  const touched = new TtlCache<true>(touchEveryMs, maxRemembered, now);
  const schema = apiKeyInputSchema(now);

  function storeIn(): ApiKeyStore {
    if (given) return given;
    throw new PosthornError(
      'invalid_option',
      'this storage does not support API keys: use one that supports documents, or authenticate with a function of your own',
    );
  }

  async function lookUp(store: ApiKeyStore, keyId: string, hash: string): Promise<FoundApiKey | undefined> {
    const record = await store.find(keyId);
    return isHashOf(record, hash) ? record : undefined;
  }

  /** Finds the record of a key. Concurrent calls share one lookup, and so do later ones while it is cached. */
  function recordOf(store: ApiKeyStore, keyId: string, hash: string): Promise<FoundApiKey | undefined> {
    const known = lookups.get(hash);
    if (known) return known;
    const lookup = lookUp(store, keyId, hash);
    lookups.set(hash, lookup);
    const evict = (): void => {
      if (lookups.get(hash) === lookup) lookups.delete(hash);
    };
    lookup.then((record) => record ?? evict(), evict);
    return lookup;
  }

  function touch(store: ApiKeyStore, found: FoundApiKey): void {
    if (touched.get(found.id)) return;
    touched.set(found.id, true);
    store.touch(found).catch((error: PosthornError) => lifecycle.emit('error', () => error));
  }

  return {
    areKept: given !== undefined,

    async create(input) {
      const store = storeIn();
      const known = parseOptions(input as ApiKeyInput | undefined, fields, 'apiKeys.create');
      const { mode, ...rest } = parse(schema, known, 'invalid_option', 'API key');
      const letters = secretLetters(idLength + secretLength);
      const key = `sk_${mode}_${letters}`;
      const id = `key_${letters.slice(0, idLength)}`;
      const record = await store.create({ ...rest, id, mode, hash: hashOf(key) });
      return { apiKey: apiKeyOf(record), key };
    },

    async list(options) {
      const known = ['tenantId', 'limit', 'cursor'] as const;
      const { tenantId = defaultTenant, ...query } = parseOptions(options, known, 'apiKeys.list');
      const page = await storeIn().list(tenantId, pageQuery(query));
      return { ...page, items: page.items.map(apiKeyOf) };
    },

    async revoke(keyId, options) {
      const store = storeIn();
      const { tenantId = defaultTenant } = parseOptions(options, ['tenantId'], 'apiKeys.revoke');
      const isId = apiKeyIdSchema.safeParse(keyId).success;
      const record = isId ? await store.revoke(tenantId, keyId) : undefined;
      if (!record) throw new PosthornError('not_found', 'no API key has this id');
      // Only after the write: a concurrent lookup could otherwise cache the old record again.
      lookups.delete(record.hash);
      return apiKeyOf(record);
    },

    async verify(key) {
      const store = storeIn();
      // Checks the length first, so that a very long input is not scanned.
      if (typeof key !== 'string' || key.length !== keyLength) return undefined;
      const [, letters] = keyForm.exec(key) ?? [];
      if (letters === undefined) return undefined;
      const record = await recordOf(store, `key_${letters}`, hashOf(key));
      // The lookup checked it by the storage's clock. For a cached record the process's own suffices.
      if (!record || isOver(record, now())) return undefined;
      touch(store, record);
      return apiKeyOf(record);
    },
  };
}

const hashOf = (key: string): string => hash('sha256', key, 'base64url');

const hashBytes = 32;
/** Compared with unknown keys, so that they take as long as known ones. */
const decoyHash = randomBytes(hashBytes);

function isHashOf(record: ApiKeyRecord | undefined, hash: string): boolean {
  const stored = Buffer.from(record?.hash ?? '', 'base64url');
  const isHash = stored.length === hashBytes;
  return timingSafeEqual(isHash ? stored : decoyHash, Buffer.from(hash, 'base64url')) && isHash;
}

/** Copies a record without its hash, so that a caller cannot change the cached one. */
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
