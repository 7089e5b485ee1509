import type { Page } from '@posthorn/core';
import type { DocumentStore, DocumentWrite, PageQuery, StoredDocument } from '@posthorn/core/storage';
import { checkCursor } from '@posthorn/core/storage';
import type { Run, Session } from './session/session.js';
import { code, num } from './space/keys.js';

/** A document as it is kept. */
interface Row {
  /** In the order of creation. */
  readonly number: number;
  readonly tenantId: string;
  readonly version: number;
  readonly body: string;
  readonly dueAt: number | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** Keeps documents. */
export function documentStore(run: Run): DocumentStore {
  return {
    get: (kind, id) =>
      run(async (session) => {
        const row = await read(session, kind, id);
        return { document: row && documentOf(kind, id, row), at: new Date(session.now) };
      }),
    put: (write, version) => run((session) => put(session, write, version)),
    list: (kind, tenantId, query) => run((session) => list(session, kind, tenantId, query)),
    due: (kind, leaseMs) => run((session) => due(session, kind, leaseMs)),
  };
}

const keyOf = (kind: string, id: string): string => `D/${code(kind)}/${code(id)}`;
const listPrefix = (kind: string, tenantId: string | undefined): string =>
  tenantId === undefined ? `L/${code(kind)}/` : `M/${code(kind)}/${code(tenantId)}/`;
const dueKey = (kind: string, { dueAt, number }: Row): string | undefined =>
  dueAt === null ? undefined : `U/${code(kind)}/${num(dueAt)}/${num(number)}`;

async function read({ draft }: Session, kind: string, id: string): Promise<Row | undefined> {
  const text = await draft.get(keyOf(kind, id));
  return text === undefined ? undefined : (JSON.parse(text) as Row);
}

async function put(
  session: Session,
  { kind, id, tenantId, body, dueInMs }: DocumentWrite,
  version: number,
): Promise<StoredDocument | undefined> {
  const { now } = session;
  const before = await read(session, kind, id);
  if ((before?.version ?? 0) !== version || (before && before.tenantId !== tenantId)) return undefined;
  if (body === null) {
    if (!before) return undefined;
    store(session, kind, id, before, undefined);
    return documentOf(kind, id, before);
  }
  const { number, createdAt } = before ?? { number: session.number(), createdAt: now };
  const dueAt = dueInMs === null ? null : now + dueInMs;
  const after = { number, tenantId, version: version + 1, body, dueAt, createdAt, updatedAt: now };
  store(session, kind, id, before, after);
  return documentOf(kind, id, after);
}

/** Writes the row, and where it stands on the lists and among what is due. */
function store(
  { draft }: Session,
  kind: string,
  id: string,
  before: Row | undefined,
  after: Row | undefined,
): void {
  const due = [before, after].map((row) => row && dueKey(kind, row));
  if (due[0] !== undefined) draft.delete(due[0]);
  if (due[1] !== undefined) draft.set(due[1], id);
  const { number, tenantId } = (after ?? before)!;
  const lists = [listPrefix(kind, undefined), listPrefix(kind, tenantId)].map(
    (prefix) => prefix + num(number),
  );
  if (!before) for (const key of lists) draft.set(key, id);
  if (after) draft.set(keyOf(kind, id), JSON.stringify(after));
  else for (const key of [keyOf(kind, id), ...lists]) draft.delete(key);
}

/** The last created first. */
async function list(
  session: Session,
  kind: string,
  tenantId: string | undefined,
  { limit, cursor }: PageQuery,
): Promise<Page<StoredDocument>> {
  const prefix = listPrefix(kind, tenantId);
  const before = checkCursor(cursor, /^[0-9a-z]{9}$/);
  const bounds = before === undefined ? {} : { before: prefix + before };
  const rows = await session.draft.under(prefix, { ...bounds, limit: limit + 1, reverse: true });
  const shown = rows.slice(0, limit);
  const items: StoredDocument[] = [];
  for (const [, id] of shown) items.push(documentOf(kind, id, (await read(session, kind, id))!));
  return { items, nextCursor: rows.length > limit ? shown.at(-1)![0].slice(prefix.length) : null };
}

/** Leases the one that has been due for longest: its version is the token. */
async function due(session: Session, kind: string, leaseMs: number): Promise<StoredDocument | undefined> {
  const { draft, now } = session;
  const prefix = `U/${code(kind)}/`;
  const [first] = await draft.under(prefix, { before: prefix + num(now + 1), limit: 1 });
  if (!first) return undefined;
  const id = first[1];
  const before = (await read(session, kind, id))!;
  const after = { ...before, version: before.version + 1, dueAt: now + leaseMs, updatedAt: now };
  store(session, kind, id, before, after);
  return documentOf(kind, id, after);
}

function documentOf(
  kind: string,
  id: string,
  { tenantId, version, body, dueAt, createdAt, updatedAt }: Row,
): StoredDocument {
  return {
    kind,
    id,
    tenantId,
    version,
    body,
    dueAt: dueAt === null ? null : new Date(dueAt),
    createdAt: new Date(createdAt),
    updatedAt: new Date(updatedAt),
  };
}
