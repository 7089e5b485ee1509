import { PosthornError } from '../errors.js';
import { parseBody } from '../storage/document-body.js';
import type { DocumentStore, StoredDocument } from '../storage/document-store.js';
import type { Page, PageQuery } from '../storage/page.js';
import type { ApiKey } from './api-key.js';

/** An API key as it is stored. */
export interface ApiKeyRecord extends ApiKey {
  /** The SHA-256 of the key, base64url. */
  readonly hash: string;
}

/** A key that was looked up, with its document for a later write. */
export interface FoundApiKey extends ApiKeyRecord {
  readonly document: StoredDocument;
  /** When it was looked up, by the storage's clock. */
  readonly at: Date;
}

/** A key to create. The storage's clock sets `createdAt`. */
type NewApiKey = Omit<ApiKeyRecord, 'createdAt' | 'lastUsedAt' | 'revokedAt'>;

/** Stores each API key as a document. */
export interface ApiKeyStore {
  /** Creates a key. Rejects with `conflict` if any tenant has a key with this id. */
  create(key: NewApiKey): Promise<ApiKeyRecord>;
  /**
   * Finds a valid key of any tenant: its tenant is not known before. Resolves to undefined if there is none, or it is
   * revoked or, by the storage's clock, expired.
   */
  find(keyId: string): Promise<FoundApiKey | undefined>;
  /** Lists keys, newest first, including revoked and expired ones. */
  list(tenantId: string, query: PageQuery): Promise<Page<ApiKeyRecord>>;
  /** Revokes a key. A second call changes nothing. Resolves to undefined if the tenant has no such key. */
  revoke(tenantId: string, keyId: string): Promise<ApiKeyRecord | undefined>;
  /**
   * Sets `lastUsedAt` to the time of the lookup. Does nothing if the key was written since, for example by another use.
   */
  touch(found: FoundApiKey): Promise<void>;
}

/** The body of the document. Times are milliseconds since 1970. A migration of the Postgres storage depends on it. */
interface Body extends Pick<ApiKeyRecord, 'name' | 'mode' | 'scopes' | 'hash'> {
  readonly expiresAt: number | null;
  readonly lastUsedAt: number | null;
  readonly revokedAt: number | null;
}

const kind = 'api-key';

/** Creates a store of API keys on a document store. */
export function apiKeyStore(documents: DocumentStore): ApiKeyStore {
  /** Writes `changes` to the document, if it was not written since it was read. */
  async function change(
    document: StoredDocument,
    changes: Partial<Body>,
  ): Promise<StoredDocument | undefined> {
    const { id, tenantId, version } = document;
    const body = JSON.stringify({ ...parseBody<Body>(document), ...changes });
    return documents.put({ kind, id, tenantId, body, dueInMs: null }, version);
  }

  return {
    async create({ id, tenantId, name, mode, scopes, hash, expiresAt }) {
      const instants = { expiresAt: expiresAt?.getTime() ?? null, lastUsedAt: null, revokedAt: null };
      const body = JSON.stringify({ name, mode, scopes, hash, ...instants } satisfies Body);
      const created = await documents.put({ kind, id, tenantId, body, dueInMs: null }, 0);
      if (!created) throw new PosthornError('conflict', `API key id ${id} is taken`);
      return recordOf(created);
    },

    async find(keyId) {
      const { document, at } = await documents.get(kind, keyId);
      if (!document) return undefined;
      const record = recordOf(document);
      return isOver(record, at.getTime()) ? undefined : { ...record, document, at };
    },

    async list(tenantId, query) {
      const page = await documents.list(kind, tenantId, query);
      return { ...page, items: page.items.map(recordOf) };
    },

    async revoke(tenantId, keyId) {
      for (;;) {
        const { document, at } = await documents.get(kind, keyId);
        if (document?.tenantId !== tenantId) return undefined;
        if (parseBody<Body>(document).revokedAt !== null) return recordOf(document);
        const revoked = await change(document, { revokedAt: at.getTime() });
        if (revoked) return recordOf(revoked);
      }
    },

    async touch({ document, at }) {
      await change(document, { lastUsedAt: at.getTime() });
    },
  };
}

/** Whether a key is revoked, or expired at `now` in milliseconds since 1970. */
export const isOver = ({ revokedAt, expiresAt }: ApiKeyRecord, now: number): boolean =>
  revokedAt !== null || (expiresAt !== null && expiresAt.getTime() <= now);

function recordOf(document: StoredDocument): ApiKeyRecord {
  const { id, tenantId, createdAt } = document;
  const { name, mode, scopes, hash, expiresAt, lastUsedAt, revokedAt } = parseBody<Body>(document);
  return {
    ...{ id, tenantId, name, mode, scopes, hash, createdAt },
    expiresAt: dateOrNull(expiresAt),
    lastUsedAt: dateOrNull(lastUsedAt),
    revokedAt: dateOrNull(revokedAt),
  };
}

const dateOrNull = (ms: number | null): Date | null => (ms === null ? null : new Date(ms));
