import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as setTimer } from 'node:timers';
import { setTimeout } from 'node:timers/promises';
import { httpChannel } from '@posthorn/channel-http';
import { createDispatcher, matches } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';
import { githubEvents } from './github-events.js';
import { progress } from './progress.js';
import type { Seen } from './receiver.js';

/* Sends real GitHub events to a real receiver: signed, sometimes refused, retried, verified. */

const receiver = fork(new URL('./receiver.ts', import.meta.url));
const [{ port }] = (await once(receiver, 'message')) as [{ port: number }];

const dispatcher = createDispatcher({
  storage: memoryStorage(),
  channels: [httpChannel({ outbound: { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } } })], // the receiver is on this machine
  retry: { schedule: ['200ms', '400ms', '800ms'] }, // in production leave the default: seconds to hours
  webhookConcurrency: 50,
});

const subscriptions = [
  { path: '/everything', pattern: '*' },
  { path: '/issues', pattern: 'issues.*' },
];
const secrets: Record<string, string> = {};
for (const { path, pattern } of subscriptions) {
  const webhook = await dispatcher.webhooks.create({
    name: `All of ${pattern}`,
    eventTypes: [pattern],
    channels: [{ channel: 'webhook', configs: { url: `http://127.0.0.1:${port}${path}` } }],
  });
  secrets[path] = await dispatcher.webhooks.revealSecret(webhook.id);
}
receiver.send({ secrets });

const expected = subscriptions.map(({ path, pattern }) => ({
  path,
  pattern,
  events: githubEvents.filter(({ type }) => matches(pattern, type)),
}));
const total = expected.reduce((sum, { events }) => sum + events.length, 0);
console.log(`\nPosthorn: ${githubEvents.length} GitHub events to 2 webhooks, ${total} deliveries\n`);

const dispatchedAt = new Map<string, number>();
const latencies: number[] = [];
const counts = { attempts: 0, retried: 0, dead: 0 };
const show = progress(total);
dispatcher.on('delivery:delivered', ({ eventId, eventType, attempt }) => {
  counts.attempts++;
  latencies.push(performance.now() - dispatchedAt.get(eventId)!);
  show(
    latencies.length,
    `${eventType}${attempt && attempt.number > 1 ? ` (attempt ${attempt.number})` : ''}`,
  );
});
dispatcher.on('delivery:failed', () => {
  counts.attempts++;
  counts.retried++;
});
dispatcher.on('delivery:dead', () => {
  counts.attempts++;
  counts.dead++;
});

dispatcher.start();
const tooLong = setTimer(() => {
  console.error('✗ not everything was delivered within a minute');
  process.exit(1);
}, 60_000);
const allDone = new Promise<void>((resolve) => {
  const check = () => latencies.length + counts.dead === total && resolve();
  dispatcher.on('delivery:delivered', check).on('delivery:dead', check);
});
const ids: string[] = [];
for (const { type, payload } of githubEvents) {
  const begin = performance.now();
  const { eventId } = await dispatcher.dispatch(type, payload);
  dispatchedAt.set(eventId, begin);
  ids.push(eventId);
  await setTimeout(2); // events happen one after another
}
await allDone;
clearTimeout(tooLong);
await dispatcher.stop();

receiver.send({ report: true });
const [seen] = (await once(receiver, 'message')) as [Seen];
receiver.disconnect();

latencies.sort((a, b) => a - b);
const percentile = (share: number) => `${latencies[Math.ceil(latencies.length * share) - 1]?.toFixed(1)} ms`;
console.log();
console.table({
  events: githubEvents.length,
  deliveries: total,
  attempts: counts.attempts,
  retried: counts.retried,
  dead: counts.dead,
  'latency p50': percentile(0.5),
  'latency p95': percentile(0.95),
});

const missing = expected.flatMap(({ path, pattern }) => {
  const verified = new Set(seen.verified[path]);
  const wanted = ids.filter((_, i) => matches(pattern, githubEvents[i]!.type));
  return verified.size > wanted.length
    ? ['more events than were sent']
    : wanted.filter((id) => !verified.has(id));
});
if (missing.length > 0 || seen.unverified > 0 || counts.retried !== seen.refused) {
  console.error(`✗ ${missing.length} events missing, ${seen.unverified} requests not verified`);
  process.exitCode = 1;
} else {
  console.log(
    `✓ the receiver verified every signature and got all ${total} events; it had refused ${seen.refused} at first\n`,
  );
}
