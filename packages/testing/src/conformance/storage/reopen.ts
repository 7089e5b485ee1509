import type { Storage } from '@posthorn/core';
import { ok, same } from '../assertions.js';
import { topic } from '../rule.js';
import type { StorageRule, StorageUnderTest } from './harness.js';
import { viewOf } from './isolation.js';
import { acme, globex, minuteMs } from './sample.js';

/** The storage as the next process has it. */
export async function reopenedOf({ reopen }: StorageUnderTest): Promise<Storage<unknown>> {
  ok(reopen, 'the harness has no reopen(), and the storage does not say isVolatile');
  return reopen();
}

/** What a rule does in the first process; it resolves to the proof that the next one gives. */
type Body = (under: StorageUnderTest) => Promise<(storage: Storage<unknown>) => Promise<void>>;

/** Each with a process that ends in between, after the clock has gone on; a storage that promises nothing is let off. */
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
