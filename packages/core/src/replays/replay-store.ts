import { PosthornError } from '../errors.js';
import type { Replay } from '../models/replay.js';
import { parseBody } from '../storage/document-body.js';
import type { DocumentStore, StoredDocument } from '../storage/document-store.js';
import { readPages } from '../storage/paginate.js';

/** A replay to create. It begins `running`, due at once, with nothing replayed. */
type NewReplay = Pick<Replay, 'id' | 'tenantId' | 'selection' | 'perSecond'>;

/** A leased replay, for its next step. */
export interface ReplayClaim {
  readonly replay: Replay;
  /** The version of its document, which is the token: valid until the replay is claimed again, cancelled or saved. */
  readonly version: number;
  /** Where the step continues. Null for the first step. */
  readonly cursor: string | null;
}

/** The result of one step. */
export interface ReplayStep {
  /** How many deliveries the step restarted or created. */
  readonly replayed: number;
  /** How many deliveries the step skipped. */
  readonly skipped: number;
  /** Where the next step continues. Null if the replay is done. */
  readonly cursor: string | null;
  /** In how many milliseconds the next step is due, by the storage's clock. */
  readonly delayMs: number;
}

/** Stores each replay as a document that is due while the replay is running. */
export interface ReplayStore {
  /** Creates a replay. Rejects with `conflict` if any tenant has a replay with this id. */
  create(replay: NewReplay): Promise<Replay>;
  get(tenantId: string, replayId: string): Promise<Replay | undefined>;
  /**
   * Cancels a running replay, and invalidates its token. Restarted deliveries stay so. Undefined for an unknown replay.
   */
  cancel(tenantId: string, replayId: string): Promise<Replay | undefined>;
  /** Leases the replay, of any tenant, that is due or has an expired lease for the longest time. */
  claim(leaseMs: number): Promise<ReplayClaim | undefined>;
  /**
   * Saves a step if the token is still valid, and resolves to the replay: `done`, or due again. Otherwise writes
   * nothing and resolves to undefined. The token is invalid afterwards.
   */
  save(claim: ReplayClaim, step: ReplayStep): Promise<Replay | undefined>;
  /** Deletes the replays that ended at least `olderThanMs` ago. */
  prune(olderThanMs: number): Promise<void>;
}

/** The body of the document. A migration of the Postgres storage depends on it. */
interface Body extends Pick<Replay, 'selection' | 'perSecond' | 'status' | 'replayed' | 'skipped'> {
  readonly cursor: string | null;
}

const kind = 'replay';
const pageSize = 100;

/** Creates a store of replays on a document store. */
export function replayStore(documents: DocumentStore): ReplayStore {
  const put = (
    { id, tenantId }: Pick<Replay, 'id' | 'tenantId'>,
    body: Body,
    version: number,
    dueInMs: number | null,
  ): Promise<StoredDocument | undefined> =>
    documents.put({ kind, id, tenantId, body: JSON.stringify(body), dueInMs }, version);

  async function find(tenantId: string, replayId: string): Promise<StoredDocument | undefined> {
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
        const body = parseBody<Body>(document);
        if (body.status !== 'running') return replayOf(document);
        const cancelled = await put(document, { ...body, status: 'cancelled' }, document.version, null);
        if (cancelled) return replayOf(cancelled);
      }
    },

    async claim(leaseMs) {
      const document = await documents.due(kind, leaseMs);
      if (!document) return undefined;
      const { cursor } = parseBody<Body>(document);
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
      // No replay has this id. The call only reads the storage's time.
      const { at } = await documents.get(kind, '-');
      const last = at.getTime() - olderThanMs;
      const pages = readPages((query) => documents.list(kind, undefined, query), pageSize);
      for await (const { items } of pages) {
        for (const document of items) {
          const { id, tenantId, version } = document;
          const { finishedAt } = replayOf(document);
          if (finishedAt === null || finishedAt.getTime() > last) continue;
          await documents.put({ kind, id, tenantId, body: null, dueInMs: null }, version);
        }
      }
    },
  };
}

/** Reads a replay from its document. A finished replay is not written again, so its last write is when it finished. */
function replayOf(document: StoredDocument): Replay {
  const { id, tenantId, createdAt, updatedAt } = document;
  const { selection, perSecond, status, replayed, skipped } = parseBody<Body>(document);
  return {
    ...{ id, tenantId, selection, perSecond, status, replayed, skipped, createdAt },
    finishedAt: status === 'running' ? null : updatedAt,
  };
}
