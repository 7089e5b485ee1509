import { PosthornError } from '../errors.js';
import { bodyOf } from '../storage/document-body.js';
import type { Document, DocumentStore } from '../storage/document-store.js';
import type { Page, PageQuery } from '../storage/page.js';
import type { ApiKey } from './api-key.js';

export interface ApiKeyRecord extends ApiKey {
  /** The SHA-256 of the key, base64url. */
  readonly hash: string;
}

/** A key that was looked up, with what writing to it needs. */
export interface FoundApiKey extends ApiKeyRecord {
  readonly document: Document;
  /** When it was looked up, by the storage's clock. */
  readonly at: Date;
}

/** The storage's clock sets the instants that are not here. */
type NewApiKey = Omit<ApiKeyRecord, 'createdAt' | 'lastUsedAt' | 'revokedAt'>;

/** Keeps API keys, each as a document. */
export interface ApiKeyStore {
  /** Rejects with `conflict` where the id is taken, by whichever tenant. */
  create(key: NewApiKey): Promise<ApiKeyRecord>;
  /**
   * The key of this id, of whichever tenant: it is looked up before it is known whose it is. Undefined where there is none,
   * and from the moment on when it is revoked or, by the storage's clock, expired.
   */
  find(keyId: string): Promise<FoundApiKey | undefined>;
  /** Newest first, revoked and expired ones included. */
  list(tenantId: string, query: PageQuery): Promise<Page<ApiKeyRecord>>;
  /** Ends it for good; a second time changes nothing. Undefined where the tenant has no such key. */
  revoke(tenantId: string, keyId: string): Promise<ApiKeyRecord | undefined>;
  /** Sets `lastUsedAt` to when the key was looked up; does nothing where it was written since, as by another's use of it. */
  touch(found: FoundApiKey): Promise<void>;
}

/** The body of the document, instants in milliseconds since 1970. A migration of the Postgres storage knows it, too. */
interface Body extends Pick<ApiKeyRecord, 'name' | 'mode' | 'scopes' | 'hash'> {
  readonly expiresAt: number | null;
  readonly lastUsedAt: number | null;
  readonly revokedAt: number | null;
}

const kind = 'api-key';

export function apiKeyStore(documents: DocumentStore): ApiKeyStore {
  /** Writes `changes` over what the document holds, if it is still as it was read. */
  async function change(document: Document, changes: Partial<Body>): Promise<Document | undefined> {
    const { id, tenantId, version } = document;
    const body = JSON.stringify({ ...bodyOf<Body>(document), ...changes });
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
      const { revokedAt, expiresAt } = bodyOf<Body>(document);
      const isOver = revokedAt !== null || (expiresAt !== null && expiresAt <= at.getTime());
      return isOver ? undefined : { ...recordOf(document), document, at };
    },

    async list(tenantId, query) {
      const page = await documents.list(kind, tenantId, query);
      return { ...page, items: page.items.map(recordOf) };
    },

    async revoke(tenantId, keyId) {
      for (;;) {
        const { document, at } = await documents.get(kind, keyId);
        if (document?.tenantId !== tenantId) return undefined;
        if (bodyOf<Body>(document).revokedAt !== null) return recordOf(document);
        const revoked = await change(document, { revokedAt: at.getTime() });
        if (revoked) return recordOf(revoked);
      }
    },

    async touch({ document, at }) {
      await change(document, { lastUsedAt: at.getTime() });
    },
  };
}

function recordOf(document: Document): ApiKeyRecord {
  const { id, tenantId, createdAt } = document;
  const { name, mode, scopes, hash, expiresAt, lastUsedAt, revokedAt } = bodyOf<Body>(document);
  return {
    ...{ id, tenantId, name, mode, scopes, hash, createdAt },
    expiresAt: dateOrNull(expiresAt),
    lastUsedAt: dateOrNull(lastUsedAt),
    revokedAt: dateOrNull(revokedAt),
  };
}

const dateOrNull = (ms: number | null): Date | null => (ms === null ? null : new Date(ms));
