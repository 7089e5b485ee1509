import type { StorageAdapter } from '@posthorn/core';
import type { DocumentStore, DocumentWrite, StoredDocument } from '@posthorn/core/storage';
import { ok } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { pagesOf } from './pages.js';
import { acme, minuteMs, newWebhookId } from './sample.js';

/* What the rules about documents are made of. */

/** No kind of the engine's: a storage may know more of those. */
export const kind = 'note';
export const otherKind = 'other-note';

export const newDocumentId = (): string => `note_${newWebhookId().slice(3)}`;

export function newDocument(overrides: Partial<DocumentWrite> = {}): DocumentWrite {
  return { kind, id: newDocumentId(), tenantId: acme, body: '{"text":"first"}', dueInMs: null, ...overrides };
}

export function documentsOf({ documents }: StorageAdapter<unknown>): DocumentStore {
  ok(documents, 'the storage has no documents: skip the topic `documents`, and say why');
  return documents;
}

/** Creates a document, which must succeed. */
export async function created(
  documents: DocumentStore,
  overrides: Partial<DocumentWrite> = {},
): Promise<StoredDocument> {
  const document = await documents.put(newDocument(overrides), 0);
  ok(document, 'a document with a new id is created');
  return document;
}

/** What writes `document` over itself, with changes. */
export const over = (
  { kind, id, tenantId, body }: StoredDocument,
  changes: Partial<DocumentWrite> = {},
): DocumentWrite => ({ kind, id, tenantId, body, dueInMs: null, ...changes });

/** Reads a document. */
export async function read(
  documents: DocumentStore,
  { id }: { readonly id: string },
): Promise<StoredDocument | undefined> {
  return (await documents.get(kind, id)).document;
}

/** All documents of a tenant, page by page. */
export async function listed(documents: DocumentStore, tenantId = acme): Promise<StoredDocument[]> {
  return (await pagesOf((page) => documents.list(kind, tenantId, page))).flat();
}

/** All documents of all tenants. */
export async function listedOfAll(documents: DocumentStore): Promise<StoredDocument[]> {
  return (await pagesOf((page) => documents.list(kind, undefined, page))).flat();
}

/** Leases a document, which must be due. */
export async function leased(documents: DocumentStore, leaseMs: number): Promise<StoredDocument> {
  const document = await documents.due(kind, leaseMs);
  ok(document, 'a document is due');
  return document;
}

/** Checks that `later` is `ms` after `earlier`, with a minute of room for a clock that runs by itself. */
export function isLaterBy(ms: number, later: Date | null | undefined, earlier: Date, what: string): void {
  const passedMs = Number(later) - earlier.getTime();
  ok(passedMs >= ms && passedMs < ms + minuteMs, `${what}: ${ms} ms later, not ${passedMs}`);
}

/** A rule about the documents of a storage. */
type Body = (
  under: StorageUnderTest & { readonly documents: DocumentStore; readonly others: DocumentStore },
) => Promise<void>;

/** The rules of the topic. `others` is the second handle, where there is one. */
export const documentRulesOf = (bodies: Readonly<Record<string, Body>>): readonly StorageRule[] =>
  topic<StorageUnderTest>(
    'documents',
    Object.fromEntries(
      Object.entries(bodies).map(([title, body]) => [
        title,
        async (under: StorageUnderTest) => {
          const { storage, second = storage } = under;
          await body({ ...under, documents: documentsOf(storage), others: documentsOf(second) });
        },
      ]),
    ),
  );
