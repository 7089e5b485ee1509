import { createDispatcher, type Replay, type StorageAdapter } from '@posthorn/core';
import { delivered, rejected } from '@posthorn/core/channel';
import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel, until, virtualClock } from '@posthorn/testing';
import { describe, expect, test } from 'vitest';
import { postgresStorage } from '../src/index.js';
import { hasPostgres, openDatabase } from './database.js';

/* API keys and replays, which the engine stores as documents, on both storages: core decides by the storage's clock. */

const hourMs = 3_600_000;
/** The tolerance for a clock that runs by itself. */
const slackMs = 60_000;

interface Kept {
  /** Opens another handle on the same data. */
  open(): StorageAdapter;
  advance(ms: number): void;
}

function inMemory(): Kept {
  const clock = virtualClock();
  const storage = memoryStorage({ now: clock.now });
  return { open: () => storage, advance: (ms) => void clock.advance(ms) };
}

async function onPostgres(): Promise<Kept> {
  const { newPool } = await openDatabase();
  let offset = 0;
  const open = () => postgresStorage(newPool({ max: 4 }), { clockOffset: () => offset });
  await open().migrate();
  return {
    open: open as () => StorageAdapter,
    advance(ms) {
      offset += ms;
    },
  };
}

const kinds: readonly [string, () => Kept | Promise<Kept>][] = [
  ['in memory', inMemory],
  ...(hasPostgres() ? [['on Postgres', onPostgres] as [string, () => Promise<Kept>]] : []),
];

describe.each(kinds)('API keys %s', (_, open) => {
  const input = { tenantId: 'acme', name: 'Deployment', scopes: ['webhooks:read'] } as const;
  const engineOn = (storage: StorageAdapter) => createDispatcher({ storage, channels: [] });

  test('a revoked key is refused, whichever process revoked it, and stays revoked', async () => {
    const kept = await open();
    const [one, other] = [engineOn(kept.open()), engineOn(kept.open())];
    const { apiKey, key } = await one.apiKeys.create(input);
    await expect(other.apiKeys.revoke(apiKey.id, { tenantId: 'globex' })).rejects.toMatchObject({
      code: 'not_found',
    });
    expect(await one.apiKeys.verify(key)).toBeDefined();
    const revoked = await other.apiKeys.revoke(apiKey.id, { tenantId: 'acme' });
    expect(await other.apiKeys.verify(key)).toBeUndefined();
    kept.advance(hourMs);
    expect(await engineOn(kept.open()).apiKeys.verify(key)).toBeUndefined();
    const again = await one.apiKeys.revoke(apiKey.id, { tenantId: 'acme' });
    expect(again.revokedAt).toEqual(revoked.revokedAt);
  });

  test('a key that two processes revoke concurrently is revoked once', async () => {
    const kept = await open();
    const [one, other] = [engineOn(kept.open()), engineOn(kept.open())];
    const { apiKey } = await one.apiKeys.create(input);
    const revoke = (by: typeof one) => by.apiKeys.revoke(apiKey.id, { tenantId: 'acme' });
    const all = await Promise.all([revoke(one), revoke(other), revoke(one), revoke(other)]);
    expect(new Set(all.map(({ revokedAt }) => revokedAt?.getTime())).size).toBe(1);
  });

  test("a key expires by the storage's clock, and is still listed", async () => {
    const kept = await open();
    const storage = kept.open();
    const { at } = await storage.documents!.get('api-key', '-');
    const expiresAt = new Date(Math.max(at.getTime(), Date.now()) + 2 * hourMs);
    const { apiKey, key } = await engineOn(storage).apiKeys.create({ ...input, expiresAt });
    expect(apiKey.expiresAt).toEqual(expiresAt);
    // By the clock of this process it stays valid for hours.
    const verify = () =>
      createDispatcher({ storage, channels: [], now: () => at.getTime() }).apiKeys.verify(key);
    expect(await verify()).toBeDefined();
    kept.advance(expiresAt.getTime() - at.getTime() - slackMs);
    expect(await verify()).toBeDefined();
    kept.advance(slackMs);
    expect(await verify()).toBeUndefined();
    expect((await engineOn(storage).apiKeys.list({ tenantId: 'acme' })).items).toMatchObject([{ expiresAt }]);
  });

  test("the time of last use is written by the storage's clock, and changes nothing else", async () => {
    const kept = await open();
    const { apiKey, key } = await engineOn(kept.open()).apiKeys.create(input);
    kept.advance(hourMs);
    const { apiKeys } = engineOn(kept.open());
    await apiKeys.verify(key);
    const used = async () => (await apiKeys.list({ tenantId: 'acme' })).items[0]!;
    await until(async () => (await used()).lastUsedAt !== null);
    const { lastUsedAt, ...rest } = await used();
    expect({ ...rest, lastUsedAt: null }).toEqual(apiKey);
    const passedMs = lastUsedAt!.getTime() - apiKey.createdAt.getTime();
    expect(passedMs).toBeGreaterThanOrEqual(hourMs);
    expect(passedMs).toBeLessThan(hourMs + slackMs);
  });
});

describe.each(kinds)('a replay %s', (_, open) => {
  /** Creates processes on one storage with `count` dead deliveries, whose receiver works again. */
  async function processes(count: number) {
    const kept = await open();
    const channel = recordingChannel();
    const engine = (storage = kept.open()) =>
      createDispatcher({ storage, channels: [channel], webhookConcurrency: 100, retention: '1h' });
    const [one, other] = [engine(), engine()];
    const channels = [{ channel: 'webhook', configs: {} }];
    await one.webhooks.create({ name: 'w', eventTypes: ['*'], channels });
    channel.answerWith(() => rejected('http_status', 'never'));
    await one.dispatchMany(Array.from({ length: count }, (_, i) => ({ type: 'order.created', payload: i })));
    await one.drain();
    channel.reset();
    channel.answerWith(() => delivered());
    return { ...kept, channel, engine, one, other };
  }

  test('continues where its process died, with the progress that was stored', async () => {
    const { one, other, open: handle, engine, advance, channel } = await processes(30);
    const { id } = await one.replays.create({ perSecond: 40 });
    let writes = 0;
    const storage = handle();
    const dying = engine({
      ...storage,
      documents: {
        ...storage.documents!,
        async put(...write) {
          if (++writes === 2) throw new Error('the process is gone');
          return storage.documents!.put(...write);
        },
      },
    });
    await dying.drain();
    advance(1_000);
    await expect(dying.drain()).rejects.toMatchObject({ code: 'storage_failed' });
    expect(await other.replays.get(id)).toMatchObject({ status: 'running', replayed: 10 });
    // Its lease ends half a minute later.
    advance(31_000);
    for (let i = 0; i < 4; i++) {
      await other.drain();
      advance(1_000);
    }
    const done = await one.replays.get(id);
    expect(done).toMatchObject({ status: 'done', finishedAt: expect.any(Date) });
    expect(new Set(channel.deliveries.map(({ payload }) => payload)).size).toBe(30);
    expect(await one.replays.cancel(id)).toEqual(done);
  });

  test('that is cancelled during a step stays cancelled, with the count of the step', async () => {
    const { one, open: handle, engine, other } = await processes(30);
    const { id } = await one.replays.create({ perSecond: 40 });
    const storage = handle();
    const finished: Replay[] = [];
    const late = engine({
      ...storage,
      documents: {
        ...storage.documents!,
        async put(...write) {
          await other.replays.cancel(id);
          return storage.documents!.put(...write);
        },
      },
    });
    late.on('replay:finished', (replay) => finished.push(replay));
    await late.drain();
    const cancelled = await one.replays.get(id);
    expect(cancelled).toMatchObject({ status: 'cancelled', replayed: 0, finishedAt: expect.any(Date) });
    await one.drain();
    expect(await one.replays.get(id)).toEqual(cancelled);
    expect(finished).toEqual([]);
  });

  test('is visible to its tenant only, and only its tenant can cancel it', async () => {
    const { one, other } = await processes(1);
    const { id } = await one.replays.create();
    for (const tenantId of ['globex', 'Default', 'default ', '%', '__proto__']) {
      await expect(other.replays.get(id, { tenantId })).rejects.toMatchObject({ code: 'not_found' });
      await expect(other.replays.cancel(id, { tenantId })).rejects.toMatchObject({ code: 'not_found' });
    }
    expect(await one.replays.get(id)).toMatchObject({ status: 'running' });
  });

  test('is deleted once it ended as long ago as events are kept, however many there are, and never while it runs', async () => {
    const { one, other, advance } = await processes(1);
    const ended = [];
    for (let i = 0; i < 120; i++) ended.push((await one.replays.create()).id);
    await Promise.all(ended.slice(1).map((id) => other.replays.cancel(id)));
    await one.drain();
    expect(await one.replays.get(ended[0]!)).toMatchObject({ status: 'done' });
    advance(2 * hourMs);
    const late = (await one.replays.create()).id;
    await one.replays.cancel(late);
    const running = (await one.replays.create({ status: ['delivered'] })).id;
    // The count includes the event, but no replays.
    expect(await other.prune()).toBe(1);
    const found = await Promise.allSettled([...ended, late, running].map((id) => other.replays.get(id)));
    const left = found.flatMap((result) => (result.status === 'fulfilled' ? [result.value.id] : []));
    expect(left).toEqual([late, running]);
  });
});
