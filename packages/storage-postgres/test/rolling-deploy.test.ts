import { createHash } from 'node:crypto';
import { createDispatcher, type Replay } from '@posthorn/core';
import { delivered, rejected } from '@posthorn/core/channel';
import { createIds, type StoredDocument } from '@posthorn/core/storage';
import { recordingChannel } from '@posthorn/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { postgresStorage } from '../src/index.js';
import { migrationText } from '../src/schema/migrate.js';
import { migrations } from '../src/schema/migrations.js';
import { hasPostgres, openDatabase, type TestDatabase } from './database.js';
import { versionBefore } from './version-before.js';

/* Processes of the version before and of this one, on one schema, as while an application is deployed. */

const ids = createIds();
const selection = { status: ['dead'], beforeEventId: 'evt_~' };
const tenantId = 'acme';
const hourMs = 3_600_000;

/** A key as an application has it, with its id and hash. */
function newKey(letter: string) {
  const letters = (letter + ids.event().slice(-9)).padEnd(37, letter);
  const key = `sk_live_${letters}`;
  const hash = createHash('sha256').update(key).digest('base64url');
  return { key, id: `key_${letters.slice(0, 10)}`, hash };
}

describe.skipIf(!hasPostgres())('While processes of the version before run', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openDatabase();
  });

  /** A schema of the version before, and its engine. Nothing of this version is there until `migrate`. */
  async function deployment(schema: string, options: { readonly isolation?: string } = {}) {
    const { isolation = 'read committed' } = options;
    const newPool = () =>
      database.newPool({ options: `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}` });
    const old = migrations.filter(({ number }) => number < 20);
    await database.pool.query(migrationText(schema, old));
    let offset = 0;
    const clockOffset = () => offset;
    const before = versionBefore(newPool(), schema, clockOffset);
    const storage = postgresStorage(newPool(), { schema, clockOffset });
    const channel = recordingChannel();
    const engine = () => createDispatcher({ storage, channels: [channel], retention: '1h' });
    const advance = (ms: number): void => {
      offset += ms;
    };
    const documents = storage.documents!;
    const read = async (id: string): Promise<Replay> => engine().replays.get(id, { tenantId });
    return { before, storage, documents, engine, channel, advance, read, newPool, migrate: storage.migrate };
  }

  test('API keys that were there are found by both, in their order, and the revoked ones by neither', async () => {
    const { before, engine, migrate } = await deployment('keys_before');
    const keys = ['a', 'b', 'c'].map(newKey);
    for (const { id, hash } of keys) await before.createKey(id, tenantId, hash);
    await before.revokeKey(tenantId, keys[1]!.id);
    await migrate();
    const later = newKey('d');
    await before.createKey(later.id, tenantId, later.hash);
    const { apiKey } = await engine().apiKeys.create({ tenantId, name: 'new', scopes: ['events:write'] });
    const all = [apiKey.id, later.id, ...keys.map(({ id }) => id).reverse()];
    expect((await engine().apiKeys.list({ tenantId })).items.map(({ id }) => id)).toEqual(all);
    expect(await before.listKeys(tenantId)).toEqual(all);
    expect(await engine().apiKeys.verify(keys[1]!.key)).toBeUndefined();
    expect(await engine().apiKeys.verify(keys[0]!.key)).toMatchObject({
      ...{ id: keys[0]!.id, tenantId, name: 'Old "key"', mode: 'live' },
      ...{ scopes: ['webhooks:read', 'events:write'], expiresAt: null, lastUsedAt: null, revokedAt: null },
    });
  });

  test('an API key that either creates is good for both, until either revokes it', async () => {
    const { before, engine, migrate } = await deployment('keys_both');
    await migrate();
    const [ofOld, ofOldToo] = [newKey('a'), newKey('b')];
    for (const { id, hash } of [ofOld, ofOldToo]) await before.createKey(id, tenantId, hash);
    const expiresAt = new Date(Date.now() + hourMs);
    const input = { tenantId, name: 'naïve "new" 📯', scopes: ['webhooks:read'] } as const;
    const [ofNew, ofNewToo] = [
      await engine().apiKeys.create({ ...input, expiresAt }),
      await engine().apiKeys.create(input),
    ];
    for (const { key } of [ofOld, ofOldToo, ofNew, ofNewToo]) {
      expect(await engine().apiKeys.verify(key)).toBeDefined();
    }
    for (const id of [ofOld.id, ofOldToo.id, ofNew.apiKey.id, ofNewToo.apiKey.id]) {
      expect(await before.findsKey(id)).toBe(true);
    }
    await engine().apiKeys.revoke(ofOld.id, { tenantId });
    await before.revokeKey(tenantId, ofOldToo.id);
    await before.revokeKey(tenantId, ofNew.apiKey.id);
    await engine().apiKeys.revoke(ofNewToo.apiKey.id, { tenantId });
    for (const { key } of [ofOld, ofOldToo, ofNew, ofNewToo]) {
      expect(await engine().apiKeys.verify(key)).toBeUndefined();
    }
    for (const id of [ofOld.id, ofOldToo.id, ofNew.apiKey.id, ofNewToo.apiKey.id]) {
      expect(await before.findsKey(id)).toBe(false);
    }
    const { items } = await engine().apiKeys.list({ tenantId });
    const listed = items.find(({ id }) => id === ofNew.apiKey.id);
    expect(listed).toEqual({ ...ofNew.apiKey, revokedAt: expect.any(Date), lastUsedAt: listed!.lastUsedAt });
    expect(listed!.expiresAt).toEqual(expiresAt);
  });

  test('a key that both use and one of them revokes stays revoked', async () => {
    const { before, engine, documents, migrate } = await deployment('keys_race');
    await migrate();
    for (let round = 0; round < 10; round++) {
      const { key, id, hash } = newKey('a');
      await before.createKey(id, tenantId, hash);
      const uses = Array.from({ length: 8 }, (_, i) =>
        i % 2 === 0 ? before.touchKey(id) : engine().apiKeys.verify(key),
      );
      const revocation =
        round % 2 === 0 ? before.revokeKey(tenantId, id) : engine().apiKeys.revoke(id, { tenantId });
      await Promise.all([...uses, revocation, before.touchKey(id)]);
      await engine().apiKeys.verify(key);
      expect(await before.findsKey(id)).toBe(false);
      expect(JSON.parse((await documents.get('api-key', id)).document!.body).revokedAt).not.toBeNull();
    }
  });

  test('a replay that was there goes on where it was, with what it has counted', async () => {
    const { before, engine, documents, advance, read, migrate } = await deployment('replays_before');
    const [running, leased, done] = [ids.replay(), ids.replay(), ids.replay()];
    for (const id of [done, leased, running]) {
      await before.createReplay(id, tenantId, selection, 10);
      const claim = (await before.claimReplay(hourMs))!;
      expect(claim.id).toBe(id);
      if (id !== leased) await before.saveReplay(claim, 3, id === done ? null : 'there');
    }
    await migrate();
    expect(await read(done)).toMatchObject({ status: 'done', replayed: 3, finishedAt: expect.any(Date) });
    expect(await read(leased)).toMatchObject({ status: 'running', replayed: 0, perSecond: 10, selection });
    const next = await documents.due('replay', hourMs);
    expect(next?.id).toBe(running);
    expect(JSON.parse(next!.body)).toMatchObject({ replayed: 3, cursor: 'there' });
    expect(await documents.due('replay', hourMs)).toBeUndefined();
    advance(hourMs);
    expect((await documents.due('replay', hourMs))?.id).toBe(leased);
    expect(await engine().replays.cancel(running, { tenantId })).toMatchObject({ status: 'cancelled' });
    expect(await before.getReplay(running)).toMatchObject({ status: 'cancelled', isFinished: true });
  });

  test('a replay that either has claimed is not claimed by the other, and is finished by whichever', async () => {
    const { before, documents, advance, read, migrate } = await deployment('replays_both');
    await migrate();
    const id = ids.replay();
    await before.createReplay(id, tenantId, selection, 10);
    const write = ({ kind, tenantId }: StoredDocument, body: object, dueInMs: number | null) => ({
      ...{ kind, id, tenantId, body: JSON.stringify(body), dueInMs },
    });

    const first = (await before.claimReplay(hourMs))!;
    expect(await documents.due('replay', hourMs)).toBeUndefined();
    expect(await before.saveReplay(first, 3, 'one')).toBe(true);

    const second = (await documents.due('replay', hourMs))!;
    const body = JSON.parse(second.body);
    expect(body).toMatchObject({ replayed: 3, cursor: 'one', status: 'running' });
    expect(await before.claimReplay(hourMs)).toBeUndefined();
    expect(await before.saveReplay(first, 100, null)).toBe(false);
    expect(
      await documents.put(write(second, { ...body, replayed: 5, cursor: 'two' }, 0), second.version),
    ).toBeDefined();

    // Each lets a lease run out that the other takes over.
    const lost = (await before.claimReplay(hourMs))!;
    expect(lost.cursor).toBe('two');
    advance(hourMs);
    const taken = (await documents.due('replay', hourMs))!;
    expect(await before.saveReplay(lost, 100, null)).toBe(false);
    advance(hourMs);
    const last = (await before.claimReplay(hourMs))!;
    expect(await documents.put(write(taken, { ...body, replayed: 100 }, 0), taken.version)).toBeUndefined();
    expect(await before.saveReplay(last, 2, null)).toBe(true);
    expect(await read(id)).toMatchObject({
      status: 'done',
      replayed: 7,
      skipped: 0,
      finishedAt: expect.any(Date),
    });
    expect(await before.getReplay(id)).toMatchObject({ status: 'done', replayed: 7, isFinished: true });
    advance(100 * hourMs);
    expect(await documents.due('replay', hourMs)).toBeUndefined();
    expect(await before.claimReplay(hourMs)).toBeUndefined();
  });

  test('a replay that either cancels is ended for the other, and what either prunes is gone for both', async () => {
    const { before, engine, documents, advance, read, migrate } = await deployment('replays_ended');
    await migrate();
    const [ofOld, ofNew] = [ids.replay(), ids.replay()];
    await before.createReplay(ofOld, tenantId, selection, 10);
    const claim = (await before.claimReplay(hourMs))!;
    expect(await engine().replays.cancel(ofOld, { tenantId })).toMatchObject({ status: 'cancelled' });
    expect(await before.saveReplay(claim, 3, 'one')).toBe(false);
    await before.createReplay(ofNew, tenantId, selection, 10);
    const leased = (await documents.due('replay', hourMs))!;
    await before.cancelReplay(tenantId, ofNew);
    const { kind, body } = leased;
    expect(
      await documents.put({ kind, id: ofNew, tenantId, body, dueInMs: 0 }, leased.version),
    ).toBeUndefined();
    expect(await read(ofNew)).toMatchObject({ status: 'cancelled', finishedAt: expect.any(Date) });

    const all = async () => [await before.getReplay(ofOld), (await documents.get('replay', ofNew)).document];
    await before.pruneReplays(hourMs);
    expect(await all()).toEqual([expect.anything(), expect.anything()]);
    advance(2 * hourMs);
    await before.pruneReplays(hourMs);
    expect(await all()).toEqual([undefined, undefined]);
    expect((await documents.get('replay', ofOld)).document).toBeUndefined();
    const third = ids.replay();
    await before.createReplay(third, tenantId, selection, 10);
    await before.cancelReplay(tenantId, third);
    advance(2 * hourMs);
    await engine().prune();
    expect(await before.getReplay(third)).toBeUndefined();
  });

  test.each(['read committed', 'repeatable read'])(
    'processes of both versions share many replays, and each step counts once, in transactions that are %s',
    async (isolation) => {
      const schema = `replays_${isolation.replace(' ', '_')}`;
      const { before, documents, read, migrate } = await deployment(schema, { isolation });
      await migrate();
      const all = Array.from({ length: 6 }, () => ids.replay());
      for (const id of all) await before.createReplay(id, tenantId, selection, 10);
      const steps = 10;
      const held = new Set<string>();
      const hold = async (id: string, step: () => Promise<void>): Promise<void> => {
        expect(held.has(id)).toBe(false);
        held.add(id);
        await step();
      };
      let finished = 0;
      const old = async (): Promise<void> => {
        while (finished < all.length) {
          const claim = await before.claimReplay(hourMs);
          if (claim) {
            await hold(claim.id, async () => {
              const done = Number(claim.cursor ?? 0) + 1;
              held.delete(claim.id);
              expect(await before.saveReplay(claim, 1, done === steps ? null : String(done))).toBe(true);
              if (done === steps) finished++;
            });
          }
        }
      };
      const present = async (): Promise<void> => {
        while (finished < all.length) {
          const claim = await documents.due('replay', hourMs);
          if (claim) {
            await hold(claim.id, async () => {
              const body = JSON.parse(claim.body);
              const done = Number(body.cursor ?? 0) + 1;
              const isLast = done === steps;
              const cursor = isLast ? null : String(done);
              const next = {
                ...body,
                replayed: body.replayed + 1,
                cursor,
                status: isLast ? 'done' : 'running',
              };
              const { kind, id, tenantId, version } = claim;
              const dueInMs = isLast ? null : 0;
              held.delete(id);
              const write = { kind, id, tenantId, body: JSON.stringify(next), dueInMs };
              expect(await documents.put(write, version)).toBeDefined();
              if (isLast) finished++;
            });
          }
        }
      };
      const deadlocks = async () =>
        (
          await database.pool.query(
            'select deadlocks from pg_stat_database where datname = current_database()',
          )
        ).rows;
      const deadlocksBefore = await deadlocks();
      await Promise.all([old(), present(), old(), present(), old(), present()]);
      for (const id of all) {
        expect(await read(id)).toMatchObject({ status: 'done', replayed: steps });
        expect(await before.getReplay(id)).toMatchObject({
          status: 'done',
          replayed: steps,
          isFinished: true,
        });
      }
      expect(await deadlocks()).toEqual(deadlocksBefore);
    },
  );

  test.each(['read committed', 'repeatable read'])(
    'what they write during the migration is there after it, in transactions that are %s',
    async (isolation) => {
      const schema = `during_${isolation.replace(' ', '_')}`;
      const { before, storage, migrate } = await deployment(schema, { isolation });
      const keys: string[] = [];
      let isMigrating = true;
      const write = async (letter: string): Promise<void> => {
        while (isMigrating) {
          const { id, hash } = newKey(letter);
          await before.createKey(id, tenantId, hash);
          keys.push(id);
          const other = keys[Math.floor(keys.length / 2)]!;
          await before.touchKey(other);
          if (keys.length % 2 === 0) await before.revokeKey(tenantId, other);
        }
      };
      const writing = ['a', 'b', 'c', 'd'].map(write);
      while (keys.length < 50) await new Promise((resolve) => setImmediate(resolve));
      await migrate();
      const count = keys.length;
      while (keys.length < count + 50) await new Promise((resolve) => setImmediate(resolve));
      isMigrating = false;
      await Promise.all(writing);
      const { rows } = await database.pool.query(`
        select k.id from "${schema}".api_keys k
        left join "${schema}".documents d on d.kind = 'api-key' and d.id = k.id
        where d.body is distinct from "${schema}".api_key_body(k)`);
      expect(rows).toEqual([]);
      for (const id of keys.slice(0, 5)) {
        expect((await storage.documents!.get('api-key', id)).document).toMatchObject({ tenantId });
      }
    },
  );

  test('a replay is carried out by this version, and what it starts is delivered once', async () => {
    const { before, engine, channel, read, advance, migrate } = await deployment('replays_delivered');
    await migrate();
    const posthorn = engine();
    channel.answerWith(() => rejected('http_status', 'never'));
    const channels = [{ channel: 'webhook', configs: {} }];
    await posthorn.webhooks.create({ tenantId, name: 'w', eventTypes: ['*'], channels });
    await posthorn.dispatchMany([1, 2, 3].map((payload) => ({ type: 'order.created', payload, tenantId })));
    await posthorn.drain();
    channel.reset();
    channel.answerWith(() => delivered());
    const id = ids.replay();
    await before.createReplay(id, tenantId, selection, 10);
    await posthorn.drain();
    advance(1_000);
    await posthorn.drain();
    expect(await read(id)).toMatchObject({ status: 'done', replayed: 3 });
    expect(channel.deliveries).toHaveLength(3);
  });
});
