import type { Page, PageQuery } from './page.js';

/** A small record of the engine beside webhooks and deliveries, such as an API key or a replay. Off the hot path. */
export interface StoredDocument {
  /** Its type, such as `api-key`: lower-case letters and `-`. */
  readonly kind: string;
  /** Unique among the documents of its kind, across all tenants. */
  readonly id: string;
  readonly tenantId: string;
  /** 1 for a new document. Each write adds one, and so does a lease. */
  readonly version: number;
  /** Text, stored unchanged. The engine writes JSON. */
  readonly body: string;
  /** From when on `due` may lease it. Null: never. */
  readonly dueAt: Date | null;
  readonly createdAt: Date;
  /** When it was last written. */
  readonly updatedAt: Date;
}

/** One write of a document. */
export interface DocumentWrite {
  readonly kind: string;
  readonly id: string;
  readonly tenantId: string;
  /** The new body. Null deletes the document. */
  readonly body: string | null;
  /** In how many milliseconds it becomes due, 0 for at once. Null: never. */
  readonly dueInMs: number | null;
}

/**
 * Stores documents. A storage with `supports.documents` has one. Writes are compare-and-set: each one names the version
 * that its caller has read. The rules for all methods of a storage, in ports.ts, apply here too.
 */
export interface DocumentStore {
  /**
   * Finds the document of this kind and id, whichever tenant owns it: an API key is looked up before its tenant is
   * known. `at` is the storage's time, also where there is no document.
   */
  get(
    kind: string,
    id: string,
  ): Promise<{ readonly document: StoredDocument | undefined; readonly at: Date }>;
  /**
   * Writes a document if it is stored with this version, and resolves to the written document. Otherwise writes nothing
   * and resolves to undefined.
   * - Version 0 creates the document. It succeeds if no document of the kind has the id.
   * - Any other version replaces body and due time. It succeeds if that version is stored, for this tenant.
   * - With the body null, it deletes the document and resolves to it as it was.
   *
   * Of several writes of one version one succeeds, also where they come through different handles.
   */
  put(write: DocumentWrite, version: number): Promise<StoredDocument | undefined>;
  /**
   * Lists the documents of a tenant, the last created first. Later writes do not change the order. Without a tenant,
   * lists those of all tenants for the engine's own upkeep, in any order in which a cursor can continue: a document
   * that exists from the first page to the last is on one of them.
   */
  list(kind: string, tenantId: string | undefined, query: PageQuery): Promise<Page<StoredDocument>>;
  /**
   * Leases the document of this kind, of any tenant, that has been due for the longest time. The lease is a write,
   * after which the document is due again in `leaseMs`. Its version is the token: `put` with it succeeds until the
   * document is leased again or written. Two calls never get the same version. Resolves to undefined if no document is
   * due.
   */
  due(kind: string, leaseMs: number): Promise<StoredDocument | undefined>;
}
