import assert from 'node:assert/strict';
import type { NextState } from '@posthorn/core/storage';
import { same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { oddTexts } from './odd-values.js';
import {
  acme,
  claim,
  deliveriesOf,
  hourMs,
  newEvent,
  newWebhook,
  one,
  publish,
  result,
  settleAll,
} from './sample.js';

/** A checkpoint with characters that a database could lose. */
const checkpoint = '{"done":["a@example.com"],"note":"Grüße 📯"}';
const dueAtOnce = { status: 'pending', delayMs: 0 } as const;

type Step = NextState | 'cancelled by hand' | 'asked for';

let webhooks = 0;

/** Resolves to the checkpoint of the next claim after `steps`: results of attempts, or manual changes. */
async function checkpointAfter(
  { storage }: StorageUnderTest,
  ...steps: readonly Step[]
): Promise<string | undefined> {
  const type = `checkpoint.of${++webhooks}`;
  await storage.webhooks.create(newWebhook({ eventTypes: [type] }));
  const event = newEvent({ type });
  await publish(storage, event);
  const { id } = one(await deliveriesOf(storage, acme, { eventId: event.id }));
  for (const step of steps) {
    if (step === 'asked for') same(await storage.log.transition(acme, [id], 'pending'), [id]);
    else if (step === 'cancelled by hand') await storage.log.transition(acme, [id], 'cancelled');
    else await settleAll(storage, [{ claim: one(await claim(storage)), next: step }]);
  }
  return one(await claim(storage)).checkpoint;
}

export const memosRules: readonly StorageRule[] = topic<StorageUnderTest>('checkpoints', {
  'the checkpoint of an attempt comes with the next claim, and before that there is none': async (under) => {
    assert.equal(await checkpointAfter(under), undefined);
    assert.equal(await checkpointAfter(under, { ...dueAtOnce, checkpoint }), checkpoint);
  },

  'a checkpoint stays until another replaces it': async (under) => {
    assert.equal(
      await checkpointAfter(under, { ...dueAtOnce, checkpoint }, dueAtOnce, { status: 'released' }),
      checkpoint,
    );
    assert.equal(
      await checkpointAfter(under, { ...dueAtOnce, checkpoint: 'old' }, { ...dueAtOnce, checkpoint }),
      checkpoint,
    );
  },

  'a release may leave a checkpoint': async (under) => {
    assert.equal(await checkpointAfter(under, { status: 'released', checkpoint }), checkpoint);
    assert.equal(
      await checkpointAfter(under, { ...dueAtOnce, checkpoint: 'old' }, { status: 'released', checkpoint }),
      checkpoint,
    );
  },

  'a checkpoint survives the worker that claimed it': async (under) => {
    const { storage, advance } = under;
    assert.equal(await checkpointAfter(under, { ...dueAtOnce, checkpoint }), checkpoint);
    await advance(2 * hourMs);
    assert.equal(one(await claim(storage)).checkpoint, checkpoint);
  },

  'a checkpoint of a dead delivery is kept for a manual retry': async (under) => {
    assert.equal(
      await checkpointAfter(under, { ...dueAtOnce, checkpoint }, { status: 'dead' }, 'asked for'),
      checkpoint,
    );
    const last = { status: 'dead', checkpoint } as const;
    assert.equal(
      await checkpointAfter(under, { ...dueAtOnce, checkpoint: 'old' }, last, 'asked for'),
      checkpoint,
    );
    assert.equal(await checkpointAfter(under, { status: 'dead' }, 'asked for'), undefined);
  },

  'a checkpoint survives a manual retry of a waiting delivery': async (under) => {
    const waiting = { status: 'pending', delayMs: hourMs, checkpoint } as const;
    assert.equal(await checkpointAfter(under, waiting, 'asked for'), checkpoint);
  },

  'a checkpoint survives a cancellation, by the application or because its binding is gone': async (
    under,
  ) => {
    for (const cancelled of [{ status: 'cancelled' }, 'cancelled by hand'] as const) {
      assert.equal(
        await checkpointAfter(under, { ...dueAtOnce, checkpoint }, cancelled, 'asked for'),
        checkpoint,
      );
    }
  },

  'a checkpoint comes back unchanged, including characters that a database cannot store as text': async (
    under,
  ) => {
    for (const text of oddTexts) {
      assert.equal(await checkpointAfter(under, { ...dueAtOnce, checkpoint: text }), text);
      assert.equal(await checkpointAfter(under, { status: 'released', checkpoint: text }), text);
      assert.equal(await checkpointAfter(under, { status: 'dead', checkpoint: text }, 'asked for'), text);
    }
  },

  'a delivered delivery has no checkpoint, so that a manual retry reaches all recipients again': async (
    under,
  ) => {
    const retried = await checkpointAfter(
      under,
      { ...dueAtOnce, checkpoint },
      { status: 'delivered' },
      'asked for',
    );
    assert.equal(retried, undefined);
  },

  'a checkpoint belongs to one delivery': async ({ storage }) => {
    await storage.webhooks.create(newWebhook());
    await publish(storage, newEvent());
    await settleAll(storage, [result(one(await claim(storage)), { ...dueAtOnce, checkpoint })]);
    assert.equal(one(await claim(storage)).checkpoint, checkpoint);
    await publish(storage, newEvent());
    assert.equal(one(await claim(storage)).checkpoint, undefined);
  },
});
