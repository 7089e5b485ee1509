import { type DeliveryLog, PosthornError, type Replay, type ReplayStore } from '@posthorn/core';
import { frozen } from './frozen.js';

interface ReplayEntry {
  record: Replay;
  cursor: string | null;
  /** Names its lease while it has one. */
  token: string | undefined;
  /** When it is due or, with a token, when its lease is over. */
  at: number;
}

/** Keeps replays, and forgets those that ended long ago. */
export interface ReplayTable extends Omit<ReplayStore, 'backfill' | 'hasten'> {
  forget(options: Parameters<DeliveryLog['prune']>[0]): void;
}

export function replayTable(now: () => number): ReplayTable {
  const entries = new Map<string, ReplayEntry>();
  let leases = 0;

  function find(tenantId: string, replayId: string): ReplayEntry | undefined {
    const entry = entries.get(replayId);
    return entry?.record.tenantId === tenantId ? entry : undefined;
  }

  function end(entry: ReplayEntry, status: 'done' | 'cancelled'): void {
    entry.record = { ...entry.record, status, finishedAt: new Date(now()) };
    entry.token = undefined;
  }

  return {
    async create({ id, tenantId, selection, perSecond }) {
      if (entries.has(id)) throw new PosthornError('conflict', `replay id ${id} is taken`);
      const record: Replay = {
        id,
        tenantId,
        selection: frozen(structuredClone(selection)),
        perSecond,
        status: 'running',
        replayed: 0,
        skipped: 0,
        createdAt: new Date(now()),
        finishedAt: null,
      };
      entries.set(id, { record, cursor: null, token: undefined, at: now() });
      return handedOut(record);
    },

    async get(tenantId, replayId) {
      const entry = find(tenantId, replayId);
      return entry && handedOut(entry.record);
    },

    async cancel(tenantId, replayId) {
      const entry = find(tenantId, replayId);
      if (entry?.record.status === 'running') end(entry, 'cancelled');
      return entry && handedOut(entry.record);
    },

    async claim(leaseMs) {
      let first: ReplayEntry | undefined;
      for (const entry of entries.values()) {
        if (entry.record.status !== 'running' || entry.at > now()) continue;
        if (!first || entry.at < first.at) first = entry;
      }
      if (!first) return undefined;
      first.token = String(++leases);
      first.at = now() + leaseMs;
      return { replay: handedOut(first.record), token: first.token, cursor: first.cursor };
    },

    async save({ replay, token }, { replayed, skipped, cursor, delayMs }) {
      const entry = entries.get(replay.id);
      if (entry?.token !== token) return undefined;
      const { record } = entry;
      entry.record = { ...record, replayed: record.replayed + replayed, skipped: record.skipped + skipped };
      entry.token = undefined;
      entry.cursor = cursor;
      entry.at = now() + delayMs;
      if (cursor === null) end(entry, 'done');
      return handedOut(entry.record);
    },

    forget({ olderThanMs, limit }) {
      const last = now() - olderThanMs;
      let count = 0;
      for (const [id, { record }] of entries) {
        if (count === limit) return;
        if (record.finishedAt === null || record.finishedAt.getTime() > last) continue;
        entries.delete(id);
        count++;
      }
    },
  };
}

/** A copy, as instants could be changed. */
const handedOut = (record: Replay): Replay => ({
  ...record,
  createdAt: new Date(record.createdAt),
  finishedAt: record.finishedAt && new Date(record.finishedAt),
});
