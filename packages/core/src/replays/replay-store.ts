import { PosthornError } from '../errors.js';
import type { Replay } from '../models/replay.js';
import { bodyOf } from '../storage/document-body.js';
import type { Document, DocumentStore } from '../storage/document-store.js';

/** It begins `running`, due at once, with nothing replayed. */
type NewReplay = Pick<Replay, 'id' | 'tenantId' | 'selection' | 'perSecond'>;

/** A replay, leased to go on with. */
export interface ReplayClaim {
  readonly replay: Replay;
  /** The version of its document: the token, good until it is claimed again, cancelled or finished. */
  readonly version: number;
  /** Where to go on in the deliveries; null at the beginning. */
  readonly cursor: string | null;
}

/** What one step has done. */
export interface ReplayStep {
  /** Added to what was counted so far. */
  readonly replayed: number;
  readonly skipped: number;
  /** Where the next step goes on; null where all is done. */
  readonly cursor: string | null;
  /** When, from now on by the storage's clock, the next step is due. */
  readonly delayMs: number;
}

/** Keeps replays, each as a document that is due while the replay is running. */
export interface ReplayStore {
  /** Rejects with `conflict` where the id is taken, by whichever tenant. */
  create(replay: NewReplay): Promise<Replay>;
  get(tenantId: string, replayId: string): Promise<Replay | undefined>;
  /** Ends it where it is running, and its token; what was started again stays so. Undefined where there is none. */
  cancel(tenantId: string, replayId: string): Promise<Replay | undefined>;
  /** Leases one that is due, or whose lease is over, of any tenant: the one that has been so for longest. */
  claim(leaseMs: number): Promise<ReplayClaim | undefined>;
  /**
   * Writes a step where the token still holds, which ends it: the replay is `done`, or due again. Resolves to what it is
   * now; undefined, and nothing written, where the token does not hold.
   */
  save(claim: ReplayClaim, step: ReplayStep): Promise<Replay | undefined>;
  /** Forgets those that ended `olderThanMs` ago or earlier. */
  prune(olderThanMs: number): Promise<void>;
}

/** The body of the document. A migration of the Postgres storage knows it, too. */
interface Body extends Pick<Replay, 'selection' | 'perSecond' | 'status' | 'replayed' | 'skipped'> {
  readonly cursor: string | null;
}

const kind = 'replay';
const pageSize = 100;

export function replayStore(documents: DocumentStore): ReplayStore {
  const put = (
    { id, tenantId }: Pick<Replay, 'id' | 'tenantId'>,
    body: Body,
    version: number,
    dueInMs: number | null,
  ): Promise<Document | undefined> =>
    documents.put({ kind, id, tenantId, body: JSON.stringify(body), dueInMs }, version);

  async function find(tenantId: string, replayId: string): Promise<Document | undefined> {
    const { document } = await documents.get(kind, replayId);
    return document?.tenantId === tenantId ? document : undefined;
  }

  return {
    async create({ id, tenantId, selection, perSecond }) {
      const start = { status: 'running', replayed: 0, skipped: 0, cursor: null } as const;
      const created = await put({ id, tenantId }, { selection, perSecond, ...start }, 0, 0);
      if (!created) throw new PosthornError('conflict', `replay id ${id} is taken`);
      return replayOf(created);
    },

    async get(tenantId, replayId) {
      const document = await find(tenantId, replayId);
      return document && replayOf(document);
    },

    async cancel(tenantId, replayId) {
      for (;;) {
        const document = await find(tenantId, replayId);
        if (!document) return undefined;
        const body = bodyOf<Body>(document);
        if (body.status !== 'running') return replayOf(document);
        const cancelled = await put(document, { ...body, status: 'cancelled' }, document.version, null);
        if (cancelled) return replayOf(cancelled);
      }
    },

    async claim(leaseMs) {
      const document = await documents.due(kind, leaseMs);
      if (!document) return undefined;
      const { cursor } = bodyOf<Body>(document);
      return { replay: replayOf(document), version: document.version, cursor };
    },

    async save({ replay, version }, { replayed, skipped, cursor, delayMs }) {
      const { selection, perSecond } = replay;
      const counts = { replayed: replay.replayed + replayed, skipped: replay.skipped + skipped };
      const status = cursor === null ? 'done' : 'running';
      const body: Body = { selection, perSecond, status, ...counts, cursor };
      const saved = await put(replay, body, version, cursor === null ? null : delayMs);
      return saved && replayOf(saved);
    },

    async prune(olderThanMs) {
      // No replay has this id: it is asked for the time.
      const { at } = await documents.get(kind, '-');
      const last = at.getTime() - olderThanMs;
      let cursor: string | null = null;
      do {
        const query = { limit: pageSize, ...(cursor !== null && { cursor }) };
        const page: Awaited<ReturnType<typeof documents.list>> = await documents.list(kind, undefined, query);
        for (const document of page.items) {
          const { id, tenantId, version } = document;
          const { finishedAt } = replayOf(document);
          if (finishedAt === null || finishedAt.getTime() > last) continue;
          await documents.put({ kind, id, tenantId, body: null, dueInMs: null }, version);
        }
        cursor = page.nextCursor;
      } while (cursor !== null);
    },
  };
}

/** What has ended is written no more: it ended when it was written last. */
function replayOf(document: Document): Replay {
  const { id, tenantId, createdAt, updatedAt } = document;
  const { selection, perSecond, status, replayed, skipped } = bodyOf<Body>(document);
  return {
    ...{ id, tenantId, selection, perSecond, status, replayed, skipped, createdAt },
    finishedAt: status === 'running' ? null : updatedAt,
  };
}
