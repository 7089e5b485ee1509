import type { DocumentStore, StoredDocument } from '@posthorn/core/storage';
import { padded, pageOf } from './page.js';

/** A document as it is kept; each write puts another in its place. */
interface DocumentEntry {
  readonly document: StoredDocument;
  /** Newer documents have a higher one. */
  readonly order: number;
}

export function documentTable(now: () => number): DocumentStore {
  const kinds = new Map<string, Map<string, DocumentEntry>>();
  let order = 0;

  function entriesOf(kind: string): Map<string, DocumentEntry> {
    const entries = kinds.get(kind) ?? new Map<string, DocumentEntry>();
    kinds.set(kind, entries);
    return entries;
  }

  function write(entry: DocumentEntry): StoredDocument {
    entriesOf(entry.document.kind).set(entry.document.id, entry);
    return handedOut(entry.document);
  }

  return {
    async get(kind, id) {
      const entry = entriesOf(kind).get(id);
      return { document: entry && handedOut(entry.document), at: new Date(now()) };
    },

    async put({ kind, id, tenantId, body, dueInMs }, version) {
      const entry = entriesOf(kind).get(id);
      const stored = entry?.document;
      if ((stored?.version ?? 0) !== version || (stored?.tenantId ?? tenantId) !== tenantId) return undefined;
      if (body === null) {
        entriesOf(kind).delete(id);
        return stored && handedOut(stored);
      }
      const updatedAt = new Date(now());
      const dueAt = dueInMs === null ? null : new Date(now() + dueInMs);
      const createdAt = stored?.createdAt ?? updatedAt;
      return write({
        document: { kind, id, tenantId, version: version + 1, body, dueAt, createdAt, updatedAt },
        order: entry?.order ?? ++order,
      });
    },

    async list(kind, tenantId, query) {
      const entries = [...entriesOf(kind).values()].reverse();
      return pageOf(
        entries.filter(({ document }) => (tenantId ?? document.tenantId) === document.tenantId),
        query,
        (entry) => padded(entry.order),
        ({ document }) => handedOut(document),
      );
    },

    async due(kind, leaseMs) {
      let first: DocumentEntry | undefined;
      for (const entry of entriesOf(kind).values()) {
        const dueAt = dueTime(entry);
        if (dueAt <= now() && (!first || dueAt < dueTime(first))) first = entry;
      }
      if (!first) return undefined;
      const { document, order } = first;
      const changes = {
        version: document.version + 1,
        dueAt: new Date(now() + leaseMs),
        updatedAt: new Date(now()),
      };
      return write({ document: { ...document, ...changes }, order });
    },
  };
}

const dueTime = ({ document: { dueAt } }: DocumentEntry): number =>
  dueAt?.getTime() ?? Number.POSITIVE_INFINITY;

/** A copy, as instants could be changed. */
const handedOut = (document: StoredDocument): StoredDocument => ({
  ...document,
  dueAt: document.dueAt && new Date(document.dueAt),
  createdAt: new Date(document.createdAt),
  updatedAt: new Date(document.updatedAt),
});
