import type { Page, PageQuery } from './page.js';

/** What the engine keeps beside webhooks and deliveries: an API key, say, or how far a replay is. Small, and not hot. */
export interface Document {
  /** What it is: a short name of the engine's, of lower-case letters and `-`. */
  readonly kind: string;
  /** No other document of its kind has it, of whichever tenant. */
  readonly id: string;
  readonly tenantId: string;
  /** 1 for a new one; one more with each write, a lease included. */
  readonly version: number;
  /** A text, kept letter for letter. The engine writes JSON. */
  readonly body: string;
  /** From then on `due` may lease it; null: never. */
  readonly dueAt: Date | null;
  readonly createdAt: Date;
  /** When it was written last. */
  readonly updatedAt: Date;
}

/** What becomes of a document. */
export interface DocumentWrite {
  readonly kind: string;
  readonly id: string;
  readonly tenantId: string;
  /** Null deletes it. */
  readonly body: string | null;
  /** It is due so long from now, 0 for at once; null: never. */
  readonly dueInMs: number | null;
}

/**
 * Keeps documents, where `supports.documents` says so. Each is written by compare and set: whoever writes names the version
 * that it has read. For its methods holds what ports.ts says for those of a storage.
 */
export interface DocumentStore {
  /**
   * The document of this kind and id, of whichever tenant: a key is looked up before it is known whose it is. `at` is the
   * storage's time, also where there is no document.
   */
  get(kind: string, id: string): Promise<{ readonly document: Document | undefined; readonly at: Date }>;
  /**
   * Writes a document, and resolves to it as it is from then on; undefined, and nothing is written, where it was not to be.
   * Version 0 creates it, where no document of the kind has the id. Any other version replaces body and due time, or
   * deletes the document and resolves to it as it was, where that version is stored, and stored for this tenant.
   * Of several writes of one version one succeeds, whichever handles they come by.
   */
  put(write: DocumentWrite, version: number): Promise<Document | undefined>;
  /**
   * Those of a tenant, the one that was created last first, in whatever order they were written since. Without a tenant those
   * of all, in any order that a cursor can go on in, for the engine's upkeep: one that is there from the first page to the
   * last is on one of them.
   */
  list(kind: string, tenantId: string | undefined, query: PageQuery): Promise<Page<Document>>;
  /**
   * Leases the document of this kind that has been due for longest, of any tenant: a write, by which it is due again
   * `leaseMs` from now. Its version is the token: `put` with it succeeds until the document is leased again or written.
   * Two calls never get the same version. Undefined where none is due.
   */
  due(kind: string, leaseMs: number): Promise<Document | undefined>;
}
