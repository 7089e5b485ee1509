import assert from 'node:assert/strict';
import { seededRandom } from '../../seeded.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { acme, claimAll, deliveriesOf, globex, hourMs, result, settleAll, sorted } from './sample.js';
import { isFinished, Model } from './walk-model.js';
import { steps, type Walk } from './walk-steps.js';

/*
 * A random walk beside a model that is as plain as can be: what the storage answers must be what the model knows.
 * Each seed is one walk, the same on every machine. All durations are whole hours, so that a clock that runs by
 * itself changes nothing.
 */

const walks = 10;
const stepsOfAWalk = 200;

async function walkWith({ storage, advance }: StorageUnderTest, seed: number): Promise<void> {
  const chance = seededRandom(seed);
  const random = (n: number): number => Math.floor(chance() * n);
  const walk: Walk = {
    storage,
    advance,
    model: new Model(),
    random,
    pick: (list) => list[random(list.length)],
  };
  const trail: string[] = [];
  try {
    for (let i = 0; i < stepsOfAWalk; i++) {
      const step = walk.pick(steps)!;
      trail.push(step.name);
      await step(walk);
      if (i % 20 === 19) await compare(walk);
    }
    await end(walk);
    await compare(walk);
  } catch (error) {
    const last = trail.slice(-5).join(', ');
    throw new Error(`walk ${seed}, step ${trail.length} (… ${last}): ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** All deliveries of the storage are as the model knows them, and the attempts of one. */
async function compare({ storage, model, pick }: Walk): Promise<void> {
  for (const tenantId of [acme, globex]) {
    const stored = await deliveriesOf(storage, tenantId);
    const seen = stored.map(
      ({ id, status, attempts, attemptsBeforeRetry }) => `${id} ${status} ${attempts} ${attemptsBeforeRetry}`,
    );
    const expected = [...model.deliveries]
      .filter(([, { event }]) => event.tenantId === tenantId)
      .map(([id, known]) => `${id} ${known.status} ${known.attempts} ${known.attemptsBeforeRetry}`);
    assert.deepEqual(sorted(seen), sorted(expected));
  }
  const looked = pick([...model.deliveries]);
  if (!looked) return;
  const [id, { event, recorded }] = looked;
  assert.equal((await storage.log.attempts(event.tenantId, id)).length, recorded);
}

/** All that is not finished can be delivered in the end. */
async function end({ storage, advance, model }: Walk): Promise<void> {
  for (const { record } of model.living()) {
    if (record.isActive) continue;
    await storage.webhooks.update(record.tenantId, record.id, record.version, { isActive: true });
  }
  await advance(10 * hourMs);
  const claims = await claimAll(storage);
  const unfinished = [...model.deliveries].filter(([, known]) => !isFinished(known));
  assert.deepEqual(sorted(claims.map(({ deliveryId }) => deliveryId)), sorted(unfinished.map(([id]) => id)));
  await settleAll(
    storage,
    claims.map((claimed) => result(claimed, 'delivered')),
  );
  for (const claimed of claims) {
    model.claim(claimed, hourMs);
    model.begin(claimed);
    model.settle(claimed, { status: 'delivered' });
  }
}

export const walkRules: readonly StorageRule[] = topic<StorageUnderTest>(
  'walk',
  Object.fromEntries(
    Array.from({ length: walks }, (_, seed) => [
      `${stepsOfAWalk} random steps go as the model says, with seed ${seed}`,
      (under: StorageUnderTest) => walkWith(under, seed),
    ]),
  ),
);
