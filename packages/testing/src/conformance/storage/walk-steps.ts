import assert from 'node:assert/strict';
import type { Claim, NextState } from '@posthorn/core/storage';
import { ok, same } from '../assertions.js';
import type { StorageUnderTest } from './harness.js';
import {
  acme,
  claimOptions,
  globex,
  hourMs,
  newBinding,
  newEvent,
  newWebhook,
  release,
  result,
  sorted,
} from './sample.js';
import type { Known, Model } from './walk-model.js';

/** A storage, its model, and the random source that chooses the steps. */
export interface Walk extends Pick<StorageUnderTest, 'storage' | 'advance'> {
  readonly model: Model;
  /** Returns an integer in [0, n). */
  readonly random: (n: number) => number;
  readonly pick: <T>(list: readonly T[]) => T | undefined;
}

/** Does one random operation to the storage and to the model, and compares the results. */
export type Step = (walk: Walk) => Promise<void>;

async function createWebhook({ storage, model, random, pick }: Walk): Promise<void> {
  if (model.living().length >= 8) return;
  const record = await storage.webhooks.create(
    newWebhook({
      tenantId: pick([acme, globex])!,
      eventTypes: pick([['order.created'], ['order.*', '*.created'], ['*'], ['invoice.*']])!,
      channels: Array.from({ length: 1 + random(2) }, () => newBinding()),
      isActive: random(4) > 0,
    }),
  );
  model.webhooks.push({ record, isDeleted: false });
}

async function pauseOrResume({ storage, model, pick }: Walk): Promise<void> {
  const known = pick(model.living());
  if (!known) return;
  const { tenantId, id, version, isActive } = known.record;
  assert.equal(await storage.webhooks.update(tenantId, id, version + 1, { isActive }), undefined);
  const record = await storage.webhooks.update(tenantId, id, version, { isActive: !isActive });
  ok(record, `${id} cannot be updated at version ${version}`);
  known.record = record;
}

async function deleteWebhook({ storage, model, random, pick }: Walk): Promise<void> {
  const known = random(8) === 0 ? pick(model.webhooks) : undefined;
  if (!known) return;
  const { tenantId, id } = known.record;
  assert.equal(await storage.webhooks.delete(tenantId, id), !known.isDeleted);
  model.deleteWebhook(known);
}

async function publish({ storage, model, random, pick }: Walk): Promise<void> {
  const old = random(3) === 0 ? pick(model.published) : undefined;
  const events = Array.from({ length: 1 + random(4) }, () =>
    newEvent({
      tenantId: pick([acme, globex])!,
      type: pick(['order.created', 'order.paid', 'invoice.created'])!,
    }),
  );
  const results = events.map((event) => model.publish(event));
  const { published } = await storage.deliveries.publish(old ? [old.event, ...events] : events);
  same(published, old ? [old.result, ...results] : results);
}

async function claim({ storage, model, random }: Walk): Promise<void> {
  const [limit, webhookLimit] = [1 + random(20), 1 + random(8)];
  const leaseMs = (1 + random(3)) * hourMs;
  const claimable = model.claimable().length;
  const isBegun = random(2) === 0;
  const claims = await storage.deliveries.claim(claimOptions({ limit, webhookLimit, leaseMs, isBegun }));
  ok(claims.length <= limit, `${claims.length} claims with a limit of ${limit}`);
  ok(claims.length > 0 || claimable === 0, `nothing claimed where ${claimable} are due`);
  const counts = new Map<string, number>();
  for (const claimed of claims) {
    const known = model.deliveries.get(claimed.deliveryId);
    ok(known && model.isClaimable(known), `${claimed.deliveryId} is claimed: ${known?.status}`);
    isAsKnown(claimed, known, isBegun);
    model.claim(claimed, leaseMs);
    counts.set(claimed.webhook.id, (counts.get(claimed.webhook.id) ?? 0) + 1);
  }
  const most = Math.max(0, ...counts.values());
  ok(most <= webhookLimit, `${most} claims of a webhook with a limit of ${webhookLimit}`);
}

/** Passes where a claim agrees with the model's state of its delivery before the claim. */
function isAsKnown(claimed: Claim, known: Known, mayBegin: boolean): void {
  const isLost = known.isLost || known.isBegun;
  assert.equal(claimed.attempt, known.attempts + 1);
  assert.equal(claimed.lostAt !== undefined, isLost);
  const isFirst = !isLost && known.attempts === known.attemptsBeforeRetry;
  ok(claimed.begunAt === undefined || (mayBegin && isFirst), 'it must begin with its claim where it may');
  assert.equal(claimed.attemptsBeforeRetry, known.attemptsBeforeRetry);
  assert.equal(claimed.uncounted ?? 0, known.uncounted);
  assert.equal(claimed.event.id, known.event.id);
  assert.equal(claimed.event.tenantId, claimed.webhook.tenantId);
  ok(claimed.binding, 'the binding must be there');
}

/** Returns up to `count` of the claims, each once. */
const someHeld = ({ model, pick }: Walk, count: number): Claim[] =>
  [...new Set(Array.from({ length: count }, () => pick(model.held)))].filter((each) => each !== undefined);

const tokensOf = (claims: readonly Claim[]): string[] => claims.map(({ token }) => token);

async function begin(walk: Walk): Promise<void> {
  const { storage, model, random } = walk;
  const claims = someHeld(walk, 1 + random(8));
  const leftMs = random(2) * hourMs;
  // The clock may advance by itself: claims whose lease ends within the hour are left out.
  const expected = claims.filter((claimed) => model.lasts(claimed, leftMs + hourMs));
  const { begun } = await storage.deliveries.begin(expected, leftMs);
  same(tokensOf(begun), tokensOf(expected));
  for (const claimed of expected) model.begin(claimed);
}

async function settle(walk: Walk): Promise<void> {
  const { storage, model, random, pick } = walk;
  const claims = someHeld(walk, 1 + random(8));
  const fates: readonly Exclude<NextState, { status: 'split' }>[] = [
    { status: 'delivered' },
    { status: 'dead' },
    { status: 'cancelled' },
    { status: 'released' },
    { status: 'pending', delayMs: random(4) * hourMs },
    { status: 'pending', delayMs: random(4) * hourMs, isUncounted: true },
  ];
  const nexts = claims.map(() => pick(fates)!);
  const settlements = claims.map((claimed, i) =>
    nexts[i]!.status === 'released' ? release(claimed) : result(claimed, nexts[i]!),
  );
  const expected = claims.map((claimed, i) => model.settle(claimed, nexts[i]!));
  same(await storage.deliveries.settle(settlements), expected);
}

async function renew(walk: Walk): Promise<void> {
  const { storage, model, random } = walk;
  const claims = someHeld(walk, 3);
  const leaseMs = (1 + random(3)) * hourMs;
  const expected = claims.filter((claimed) => model.holds(claimed));
  for (const claimed of expected) model.renew(claimed, leaseMs);
  const renewed = await storage.deliveries.renew(claims, leaseMs);
  assert.deepEqual(sorted(tokensOf(renewed)), sorted(tokensOf(expected)));
}

async function transition({ storage, model, random, pick }: Walk): Promise<void> {
  const tenantId = pick([acme, globex])!;
  const status = pick(['pending', 'cancelled'] as const)!;
  const ids = [...model.deliveries.keys()].filter(() => random(10) === 0);
  const expected = ids.filter((id) => model.transition(tenantId, id, status));
  assert.deepEqual(sorted(await storage.log.transition(tenantId, ids, status)), sorted(expected));
}

async function prune({ storage, model, random }: Walk): Promise<void> {
  if (random(6) > 0) return;
  const olderThanMs = (1 + random(20)) * hourMs;
  const expected = model.prune(olderThanMs);
  assert.equal(await storage.log.prune({ olderThanMs, limit: 10_000 }), expected);
}

async function wait({ advance, model, random }: Walk): Promise<void> {
  const ms = (1 + random(2)) * hourMs;
  await advance(ms);
  model.now += ms;
}

/** The steps of a walk, chosen with equal probability. */
export const steps: readonly Step[] = [
  createWebhook,
  pauseOrResume,
  deleteWebhook,
  publish,
  claim,
  begin,
  settle,
  renew,
  transition,
  prune,
  wait,
];
