import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDispatcher, functionChannel, type StorageAdapter } from '@posthorn/core';
import { createIds, type NewEvent } from '@posthorn/core/storage';
import { kvStorage, sqliteKv } from '@posthorn/storage-kv';
import Database from 'libsql';

/*
 * What a key-value storage on SQLite can do, journal on disk: events published, and deliveries claimed and settled, a second,
 * in batches as the engine makes them; and the same through the engine, to a channel in process.
 */

const batch = 100;
const ids = createIds();

const newEvents = (): NewEvent[] =>
  Array.from({ length: batch }, () => ({
    id: ids.event(),
    tenantId: 'default',
    type: 'order.created',
    payload: JSON.stringify({ orderId: ids.webhook(), total: 12.5, lines: [{ sku: 'a-1', count: 2 }] }),
    occurredAt: new Date(),
    namespaceId: null,
    subject: null,
    cacheScope: null,
    orderingKey: null,
    matchingPatterns: ['order.created', '*.created', 'order.*', '*'],
  }));

async function publish(storage: StorageAdapter, total: number): Promise<void> {
  for (let sent = 0; sent < total; sent += batch) await storage.deliveries.publish(newEvents());
}

async function deliver(storage: StorageAdapter, total: number): Promise<void> {
  const { deliveries } = storage;
  for (let done = 0; done < total; ) {
    const options = {
      limit: batch,
      leaseMs: 30_000,
      webhookLimit: batch,
      webhookRoom: new Map(),
      isBegun: true,
    };
    const claims = await deliveries.claim(options);
    if (claims.length === 0) throw new Error(`only ${done} of ${total} were due`);
    const settlements = claims.map((claim) => ({
      claim,
      next: { status: 'delivered' as const },
      attempt: {
        id: ids.attempt(),
        deliveryId: claim.deliveryId,
        number: claim.attempt,
        startedAt: claim.begunAt!,
        durationMs: 3,
        outcome: 'delivered' as const,
        kind: null,
        message: null,
        status: 200,
        response: '{"ok":true}',
      },
    }));
    await deliveries.settle(settlements);
    done += claims.length;
  }
}

async function perSecond(total: number, run: () => Promise<void>): Promise<string> {
  const begin = performance.now();
  const cpu = process.cpuUsage();
  await run();
  const ms = performance.now() - begin;
  const { user, system } = process.cpuUsage(cpu);
  return `${Math.round((total / ms) * 1000)}/s, ${Math.round((user + system) / total)} µs of CPU each`;
}

/** The same through the engine: dispatched one by one by 500 callers, and delivered by its worker. */
async function withEngine(storage: StorageAdapter, total: number): Promise<void> {
  const dispatcher = createDispatcher({
    storage,
    channels: [functionChannel('sink', () => {})],
    encryption: { keys: [{ id: 'bench', key: randomBytes(32) }] },
  });
  const channels = [{ channel: 'sink', configs: {} }] as const;
  await dispatcher.webhooks.create({ name: 'sink', tenantId: 'engine', eventTypes: ['*'], channels });
  const dispatch = async (): Promise<void> => {
    for (let sent = 0; sent < total; sent += 500) {
      const payloads = Array.from({ length: 500 }, (_, i) => ({ orderId: sent + i }));
      await Promise.all(
        payloads.map((payload) => dispatcher.dispatch('order.created', payload, { tenantId: 'engine' })),
      );
    }
  };
  console.log(`dispatched           ${await perSecond(total, dispatch)}`);
  console.log(`delivered            ${await perSecond(total, () => dispatcher.drain())}`);
}

/** `npm run bench -- kv [events] [normal|full]`. */
export async function benchKv([
  countText = '20000',
  synchronous = 'normal',
]: readonly string[]): Promise<void> {
  const count = Number(countText);
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-'));
  try {
    const database = new Database(join(folder, 'posthorn.db'));
    const storage = kvStorage(sqliteKv(database, { synchronous: synchronous as 'normal' | 'full' }));
    for (let i = 0; i < 10; i++) {
      await storage.webhooks.create({
        id: ids.webhook(),
        tenantId: 'default',
        name: 'bench',
        eventTypes: [i === 0 ? 'order.*' : 'other.*'],
        channels: [{ id: ids.binding(), channel: 'http', configs: { url: 'https://example.com/' } }],
        isActive: true,
        secrets: [{ key: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', expiresAt: null }],
      });
    }
    await publish(storage, 2_000);
    await deliver(storage, 2_000);
    console.log(`synchronous = ${synchronous}, load ${loadavg()[0]!.toFixed(1)}`);
    console.log(`published            ${await perSecond(count, () => publish(storage, count))}`);
    console.log(`claimed and settled  ${await perSecond(count, () => deliver(storage, count))}`);
    await withEngine(storage, count);
    await storage.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
