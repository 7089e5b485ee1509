import type { StorageAdapter } from '@posthorn/core';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { viewOf } from './isolation.js';
import { acme, globex, minuteMs } from './sample.js';

/** Opens the storage as the next process does. */
export async function reopenedOf({ reopen }: StorageUnderTest): Promise<StorageAdapter<unknown>> {
  ok(reopen, 'the harness must have reopen(), unless the storage has isVolatile');
  return reopen();
}

/** The part of a rule that runs in the first process. Resolves to the check that runs in the next one. */
type Body = (under: StorageUnderTest) => Promise<(storage: StorageAdapter<unknown>) => Promise<void>>;

/**
 * Creates rules in which the process ends between the two parts, after the clock has advanced. A storage that promises
 * no durability passes.
 */
export const durabilityRulesOf = (bodies: Readonly<Record<string, Body>>): readonly StorageRule[] =>
  topic<StorageUnderTest>(
    'durability',
    Object.fromEntries(
      Object.entries(bodies).map(([title, body]) => [
        title,
        async (under: StorageUnderTest) => {
          if (under.storage.isVolatile) return;
          const proof = await body(under);
          await under.advance(minuteMs);
          const tenants = [acme, globex];
          const before = await Promise.all(tenants.map((tenantId) => viewOf(under.storage, tenantId)));
          const reopened = await reopenedOf(under);
          for (const [i, tenantId] of tenants.entries()) same(await viewOf(reopened, tenantId), before[i]);
          await proof(reopened);
        },
      ]),
    ),
  );
