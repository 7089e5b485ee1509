import { createDispatcher } from '@posthorn/core';
import { delivered } from '@posthorn/core/channel';
import { postgresStorage } from '@posthorn/storage-postgres';
import { recordingChannel } from '@posthorn/testing';
import pg from 'pg';
import type { Place } from './competitor.js';

const quantile = (values: readonly number[], part: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN;

/** Measures webhooks that sleep next to nine that do not, and a burst of one tenant next to a trickle of another. */
export async function neighbours({ postgres }: Place): Promise<void> {
  const own = { queued: 1_000, cap: 5, tenantId: 'default' };
  const alone = await sleepers(postgres, { ...own, count: 0 });
  const beside = await sleepers(postgres, { ...own, count: 1 });
  console.log(
    `\nbeside a webhook that sleeps 30 s with 1,000 queued: p95 of nine others ${compared(beside.p95, alone.p95)}; it held ${beside.held} of 50 slots`,
  );
  const others = { queued: 20, cap: 10, tenantId: 'a' };
  const without = await sleepers(postgres, { ...others, count: 0 });
  for (const count of [10, 12, 50]) {
    const { p95, held } = await sleepers(postgres, { ...others, count });
    console.log(
      `beside ${count} webhooks of one tenant that sleep 30 s, with 20 queued each: p95 of another tenant ${compared(p95, without.p95)}; they held ${held} of 50 slots`,
    );
  }
  const burst = await loudTenant(postgres);
  console.log(
    `beside a burst of 50,000 from one tenant: p95 of another tenant ${burst.p95.toFixed(0)} ms over ${burst.seconds.toFixed(0)} s`,
  );
}

const compared = (p95: number, before: number): string =>
  `${p95.toFixed(1)} ms, ${before.toFixed(1)} ms without: ${(p95 / before).toFixed(2)} times`;

async function fresh(
  postgres: string,
  options: { send(path: string): Promise<void>; concurrency: number; cap: number },
) {
  const pool = new pg.Pool({ connectionString: postgres, max: 10 });
  await pool.query('drop schema if exists posthorn cascade');
  const storage = postgresStorage(pool);
  await storage.migrate();
  const dispatcher = createDispatcher({
    storage,
    concurrency: options.concurrency,
    webhookConcurrency: options.cap,
    channels: [
      {
        type: 'test',
        config: recordingChannel().config,
        async send({ event }) {
          await options.send(event.type);
          return delivered();
        },
      },
    ],
  });
  return { pool, dispatcher };
}

interface Sleepers {
  readonly count: number;
  /** Queued deliveries per webhook. */
  readonly queued: number;
  /** The maximum number of concurrent attempts per webhook. */
  readonly cap: number;
  readonly tenantId: string;
}

async function sleepers(
  postgres: string,
  { count, queued, cap, tenantId }: Sleepers,
): Promise<{ p95: number; held: number }> {
  const took: number[] = [];
  const published = new Map<string, number>();
  let sleeping = 0;
  let held = 0;
  const { pool, dispatcher } = await fresh(postgres, {
    concurrency: 50,
    cap,
    async send(type) {
      if (!type.startsWith('slow.')) return;
      held = Math.max(held, ++sleeping);
      await new Promise((resolve) => setTimeout(resolve, 30_000).unref());
      sleeping--;
    },
  });
  const channels = [{ channel: 'test', configs: {} }] as const;
  for (let i = 0; i < 9; i++)
    await dispatcher.webhooks.create({ name: 'w', eventTypes: [`healthy.n${i}`], channels });
  for (let i = 0; i < count; i++) {
    const type = `slow.n${i}`;
    await dispatcher.webhooks.create({ name: 'slow', tenantId, eventTypes: [type], channels });
    await dispatcher.dispatchMany(Array.from({ length: queued }, () => ({ type, payload: 1, tenantId })));
  }
  dispatcher.on('delivery:delivered', ({ eventId, attempt }) => {
    const at = published.get(eventId);
    if (at !== undefined) took.push(attempt!.startedAt.getTime() - at);
  });
  dispatcher.start();
  const begin = performance.now();
  for (let n = 0; n < 1_000; n++) {
    const wait = begin + n * 10 - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const at = performance.timeOrigin + performance.now();
    void dispatcher.dispatch(`healthy.n${n % 9}`, n).then(({ eventId }) => published.set(eventId, at));
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  await dispatcher.stop({ grace: 0 });
  await pool.end();
  // Attempts have times in whole milliseconds: a shorter time counts as one.
  return { p95: Math.max(1, quantile(took, 0.95)), held };
}

async function loudTenant(postgres: string): Promise<{ p95: number; seconds: number }> {
  const took: number[] = [];
  const { pool, dispatcher } = await fresh(postgres, {
    concurrency: 50,
    cap: 50,
    send: () => new Promise((resolve) => setTimeout(resolve, 5)),
  });
  const channels = [{ channel: 'test', configs: {} }] as const;
  for (let i = 0; i < 20; i++) {
    await dispatcher.webhooks.create({ name: 'w', tenantId: 'a', eventTypes: [`loud.n${i}`], channels });
  }
  await dispatcher.webhooks.create({ name: 'w', tenantId: 'b', eventTypes: ['*'], channels });
  for (let n = 0; n < 50; n++) {
    await dispatcher.dispatchMany(
      Array.from({ length: 1_000 }, (_, i) => ({ type: `loud.n${i % 20}`, payload: 1, tenantId: 'a' })),
    );
  }
  let left = 50_000;
  const published = new Map<string, number>();
  dispatcher.on('delivery:delivered', ({ tenantId, eventId, attempt }) => {
    if (tenantId === 'a') left--;
    else took.push(attempt!.startedAt.getTime() - (published.get(eventId) ?? Number.NaN));
  });
  const begin = performance.now();
  dispatcher.start();
  while (left > 0) {
    const at = Date.now();
    const { eventId } = await dispatcher.dispatch('quiet.event', 1, { tenantId: 'b' });
    published.set(eventId, at);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await dispatcher.stop({ grace: 0 });
  await pool.end();
  return {
    p95: quantile(
      took.filter((ms) => !Number.isNaN(ms)),
      0.95,
    ),
    seconds: (performance.now() - begin) / 1000,
  };
}
