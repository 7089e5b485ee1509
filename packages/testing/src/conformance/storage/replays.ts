import assert from 'node:assert/strict';
import {
  createIds,
  firstEventId,
  type NewReplay,
  type ReplayClaim,
  type ReplayStep,
  type ReplayStore,
  type Storage,
} from '@posthorn/core';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { acme, globex, hourMs, idsOf, minuteMs, newWebhookId, rejectsWith } from './sample.js';

const ids = createIds();
const leaseMs = hourMs;

function replaysOf({ replays }: Storage<unknown>): ReplayStore {
  ok(replays, 'the storage keeps replays; where it does not, skip the topic `replays` and say why');
  return replays;
}

function newReplay(overrides: Partial<NewReplay> = {}): NewReplay {
  return {
    id: ids.replay(),
    tenantId: acme,
    selection: {
      status: ['dead', 'cancelled'],
      eventType: 'order.created',
      webhookId: newWebhookId(),
      fromEventId: firstEventId(0),
      beforeEventId: firstEventId(Date.now()),
    },
    perSecond: 100,
    ...overrides,
  };
}

async function claim(replays: ReplayStore): Promise<ReplayClaim> {
  const claimed = await replays.claim(leaseMs);
  ok(claimed, 'there is a replay to claim');
  return claimed;
}

const step = (overrides: Partial<ReplayStep> = {}): ReplayStep => ({
  replayed: 3,
  skipped: 1,
  cursor: 'cursor 1',
  delayMs: 0,
  ...overrides,
});

export const replaysRules: readonly StorageRule[] = topic<StorageUnderTest>('replays', {
  'create stores it as it was given: running, at its beginning, with nothing replayed': async ({
    storage,
  }) => {
    const replays = replaysOf(storage);
    for (const given of [
      newReplay(),
      newReplay({ selection: { status: ['dead'], beforeEventId: 'evt_1' } }),
    ]) {
      const created = await replays.create(given);
      same(created, {
        ...given,
        status: 'running',
        replayed: 0,
        skipped: 0,
        createdAt: created.createdAt,
        finishedAt: null,
      });
      ok(created.createdAt instanceof Date, 'createdAt is an instant');
      same(await replays.get(acme, given.id), created);
    }
  },

  'create refuses an id that is taken, by whichever tenant': async ({ storage }) => {
    const replays = replaysOf(storage);
    const { id } = await replays.create(newReplay());
    const before = await replays.get(acme, id);
    for (const tenantId of [acme, globex]) {
      await rejectsWith('conflict', replays.create(newReplay({ id, tenantId, perSecond: 1 })));
    }
    same(await replays.get(acme, id), before);
    assert.equal(await replays.get(globex, id), undefined);
  },

  'one that is created is due at once, from the beginning': async ({ storage }) => {
    const replays = replaysOf(storage);
    assert.equal(await replays.claim(leaseMs), undefined);
    const created = await replays.create(newReplay());
    const { token, ...claimed } = await claim(replays);
    same(claimed, { replay: created, cursor: null });
    ok(typeof token === 'string' && token !== '', 'there is a token');
  },

  'a lease lasts leaseMs: not claimable before, claimable then, with another token': async (under) => {
    const { storage, advance } = under;
    const replays = replaysOf(storage);
    await replays.create(newReplay());
    const first = await claim(replays);
    await advance(leaseMs - minuteMs);
    assert.equal(await replays.claim(leaseMs), undefined);
    await advance(minuteMs);
    const second = await claim(replays);
    assert.equal(second.replay.id, first.replay.id);
    assert.notEqual(second.token, first.token);
    assert.equal(await replays.claim(leaseMs), undefined);
  },

  'save adds what was done, and ends the lease: the next one goes on from there': async ({ storage }) => {
    const replays = replaysOf(storage);
    const created = await replays.create(newReplay());
    const saved = await replays.save(await claim(replays), step());
    same(saved, { ...created, replayed: 3, skipped: 1 });
    const second = await claim(replays);
    same(second.replay, saved);
    assert.equal(second.cursor, 'cursor 1');
    same(await replays.save(second, step({ replayed: 1_000_000, skipped: 0, cursor: 'cursor 2' })), {
      ...created,
      replayed: 1_000_003,
      skipped: 1,
    });
    assert.equal((await claim(replays)).cursor, 'cursor 2');
  },

  'the next step is due after delayMs, by the clock of the storage': async ({ storage, advance }) => {
    const replays = replaysOf(storage);
    await replays.create(newReplay());
    await replays.save(await claim(replays), step({ delayMs: hourMs }));
    await advance(hourMs - minuteMs);
    assert.equal(await replays.claim(leaseMs), undefined);
    await advance(minuteMs);
    assert.equal((await claim(replays)).cursor, 'cursor 1');
  },

  'save without a cursor ends it: done, and never claimed again': async ({ storage, advance }) => {
    const replays = replaysOf(storage);
    const created = await replays.create(newReplay());
    await advance(minuteMs);
    const done = await replays.save(await claim(replays), step({ cursor: null }));
    ok(done?.finishedAt, 'it has ended');
    ok(done.finishedAt.getTime() >= created.createdAt.getTime() + minuteMs, 'it has ended now');
    same(done, { ...created, status: 'done', replayed: 3, skipped: 1, finishedAt: done.finishedAt });
    same(await replays.get(acme, created.id), done);
    await advance(100 * leaseMs);
    assert.equal(await replays.claim(leaseMs), undefined);
  },

  'save writes nothing where another has claimed it since': async ({ storage, advance }) => {
    const replays = replaysOf(storage);
    const { id } = await replays.create(newReplay());
    const lost = await claim(replays);
    await advance(leaseMs);
    const taken = await claim(replays);
    const before = await replays.get(acme, id);
    assert.equal(await replays.save(lost, step({ cursor: null })), undefined);
    same(await replays.get(acme, id), before);
    ok(await replays.save(taken, step()), 'the lease of the other holds');
  },

  'save writes nothing a second time, nor with a token that is none, nor by that of another': async (
    under,
  ) => {
    const replays = replaysOf(under.storage);
    await replays.create(newReplay());
    await replays.create(newReplay());
    const one = await claim(replays);
    const other = await claim(replays);
    const before = await replays.get(acme, other.replay.id);
    await replays.save(one, step());
    assert.equal(await replays.save(one, step()), undefined);
    for (const token of ['', 'x', '0', one.token]) {
      assert.equal(await replays.save({ ...other, token }, step()), undefined);
    }
    same(await replays.get(acme, other.replay.id), before);
    assert.equal((await replays.get(acme, one.replay.id))?.replayed, 3);
  },

  'a late step is written where nobody has claimed it since': async ({ storage, advance }) => {
    const replays = replaysOf(storage);
    await replays.create(newReplay());
    const claimed = await claim(replays);
    await advance(2 * leaseMs);
    assert.equal((await replays.save(claimed, step()))?.replayed, 3);
  },

  'cancel ends it and its token, and keeps what was counted': async ({ storage, advance }) => {
    const replays = replaysOf(storage);
    const created = await replays.create(newReplay());
    await replays.save(await claim(replays), step());
    const claimed = await claim(replays);
    const cancelled = await replays.cancel(acme, created.id);
    ok(cancelled?.finishedAt, 'it has ended');
    same(cancelled, {
      ...created,
      status: 'cancelled',
      replayed: 3,
      skipped: 1,
      finishedAt: cancelled.finishedAt,
    });
    assert.equal(await replays.save(claimed, step()), undefined);
    same(await replays.get(acme, created.id), cancelled);
    await advance(100 * leaseMs);
    assert.equal(await replays.claim(leaseMs), undefined);
  },

  'cancel changes nothing where it has ended': async ({ storage, advance }) => {
    const replays = replaysOf(storage);
    await replays.create(newReplay());
    const done = await replays.save(await claim(replays), step({ cursor: null }));
    const cancelled = await replays.cancel(acme, (await replays.create(newReplay())).id);
    await advance(minuteMs);
    same(await replays.cancel(acme, done!.id), done);
    same(await replays.cancel(acme, cancelled!.id), cancelled);
    same(await replays.get(acme, done!.id), done);
  },

  'the one that has been due for longest is claimed first, of whichever tenant': async (under) => {
    const { storage, advance } = under;
    const replays = replaysOf(storage);
    const created = [];
    for (const tenantId of [acme, globex, acme]) {
      created.push(await replays.create(newReplay({ tenantId })));
      await advance(minuteMs);
    }
    const first = await claim(replays);
    await replays.save(first, step());
    await advance(minuteMs);
    const rest = [await claim(replays), await claim(replays), await claim(replays)];
    assert.deepEqual(idsOf([first, ...rest].map(({ replay }) => replay)), idsOf([...created, created[0]!]));
  },

  'two that claim at once get two, and never the same': async ({ storage, second = storage }) => {
    const replays = [replaysOf(storage), replaysOf(second)];
    const created = [];
    for (let i = 0; i < 5; i++) created.push(await replays[0]!.create(newReplay()));
    const claims = await Promise.all(Array.from({ length: 12 }, (_, i) => replays[i % 2]!.claim(leaseMs)));
    const claimed = claims.flatMap((one) => one?.replay.id ?? []);
    assert.equal(new Set(claimed).size, claimed.length);
    // One that gave way to another may come back with nothing.
    for (let more = await replays[0]!.claim(leaseMs); more; more = await replays[0]!.claim(leaseMs)) {
      claimed.push(more.replay.id);
    }
    assert.deepEqual(claimed.sort(), idsOf(created).sort());
  },

  'get and cancel see and change nothing of another tenant': async ({ storage }) => {
    const replays = replaysOf(storage);
    const created = await replays.create(newReplay());
    for (const stranger of [globex, 'ACME', 'acme ', 'acm_', '%', '__proto__']) {
      assert.equal(await replays.get(stranger, created.id), undefined);
      assert.equal(await replays.cancel(stranger, created.id), undefined);
    }
    assert.equal(await replays.get(acme, ids.replay()), undefined);
    assert.equal(await replays.cancel(acme, ids.replay()), undefined);
    same(await replays.get(acme, created.id), created);
  },

  'prune forgets those that ended so long ago, at most so many, and counts events alone': async (under) => {
    const { storage, advance } = under;
    const replays = replaysOf(storage);
    const end = async (how: 'done' | 'cancelled'): Promise<string> => {
      const { id } = await replays.create(newReplay());
      if (how === 'cancelled') await replays.cancel(acme, id);
      else await replays.save(await claim(replays), step({ cursor: null }));
      return id;
    };
    const old = [await end('done'), await end('cancelled'), await end('done')];
    const { id: running } = await replays.create(newReplay());
    await advance(2 * hourMs);
    const late = await end('cancelled');
    const left = async (): Promise<string[]> => {
      const all = await Promise.all([...old, running, late].map((id) => replays.get(acme, id)));
      return all.flatMap((replay) => replay?.id ?? []);
    };
    assert.equal(await storage.log.prune({ olderThanMs: 3 * hourMs, limit: 100 }), 0);
    assert.equal((await left()).length, 5);
    assert.equal(await storage.log.prune({ olderThanMs: hourMs, limit: 1 }), 0);
    assert.equal((await left()).length, 4);
    assert.equal(await storage.log.prune({ olderThanMs: hourMs, limit: 100 }), 0);
    assert.deepEqual(await left(), [running, late]);
    assert.equal((await claim(replays)).replay.id, running);
  },

  'what was handed in or out can change, and what is stored does not': async ({ storage }) => {
    const replays = replaysOf(storage);
    const given = newReplay();
    const expected = structuredClone(given.selection);
    const created = await replays.create(given);
    const vandalise = ({ selection, createdAt }: { selection: object; createdAt?: Date }): void => {
      Reflect.set(selection, 'status', ['delivered']);
      createdAt?.setTime(0);
    };
    const at = created.createdAt.getTime();
    vandalise(given);
    vandalise(created);
    vandalise((await replays.get(acme, given.id))!);
    vandalise((await claim(replays)).replay);
    const now = await replays.get(acme, given.id);
    same(now?.selection, expected);
    assert.equal(now?.createdAt.getTime(), at);
  },
});
