import { memoryStorage } from '@posthorn/storage-memory';
import { expect, test } from 'vitest';
import { newEvent, newWebhook } from '../../../src/conformance/storage/sample.js';
import { withSecond } from '../../../src/conformance/storage/second.js';
import { type OpenedStorage, serveStorage, storageRules, virtualClock } from '../../../src/index.js';

const hourMs = 3_600_000;

/** A first storage, and a process with another that knows nothing of it. */
function opened(data: unknown = { maxBytes: 1_000_000 }): OpenedStorage {
  const clock = virtualClock();
  return {
    storage: memoryStorage({ now: clock.now }),
    advance: async (ms) => clock.advance(ms),
    second: {
      module: new URL('../../second-storage.ts', import.meta.url),
      data,
      execArgv: ['--import', 'tsx', '--conditions=@posthorn/source'],
    },
  };
}

test('a second in another process has calls, instants, Maps and errors as they were given', async () => {
  await withSecond(opened(), async ({ second, advance }) => {
    const { webhooks, deliveries } = second!;
    const given = newWebhook();
    const created = await webhooks.create(given);
    expect(created).toMatchObject({ ...given, createdAt: expect.any(Date) });
    await expect(webhooks.create(given)).rejects.toMatchObject({ name: 'PosthornError', code: 'conflict' });
    await deliveries.publish([newEvent()]);
    const options = { limit: 9, leaseMs: hourMs, webhookLimit: 1 };
    expect(await deliveries.claim({ ...options, webhookRoom: new Map([[given.id, 0]]) })).toEqual([]);
    await advance(hourMs);
    const renamed = await webhooks.update('acme', given.id, 1, { name: 'Renamed' });
    expect(renamed!.updatedAt.getTime() - created.createdAt.getTime()).toBe(hourMs);
  });
});

test('each rule has a handle of its own there, and a process that was killed is followed by another', async () => {
  const { id } = newWebhook();
  for (let round = 0; round < 2; round++) {
    await withSecond(opened(), async ({ second, killSecond }) => {
      await second!.webhooks.create(newWebhook({ id }));
      const late = second!.webhooks.list('acme', { limit: 1 });
      await Promise.all([expect(late).rejects.toThrow('SIGKILL'), killSecond!()]);
      expect(await second!.webhooks.get(undefined, id)).toBeUndefined();
    });
  }
});

test('what a process says against its data is told to the rule', async () => {
  await withSecond(opened({ maxBytes: -1 }), async ({ second }) => {
    await expect(second!.webhooks.get(undefined, 'wh_0123456789')).rejects.toMatchObject({
      code: 'invalid_option',
    });
  });
});

test('a second that has other data passes no rule about two processes', async () => {
  const passed: string[] = [];
  for (const rule of storageRules.filter(({ topic }) => topic === 'second')) {
    await rule.run(opened()).then(
      () => passed.push(rule.title),
      () => undefined,
    );
  }
  expect(passed).toEqual([]);
});

test('serveStorage is refused in a process that no suite has started', () => {
  const { send } = process;
  Reflect.set(process, 'send', undefined);
  try {
    expect(() => serveStorage(() => memoryStorage())).toThrow('second.module');
  } finally {
    Reflect.set(process, 'send', send);
  }
});
