import { memoryStorage } from '@posthorn/storage-memory';
import { recordingChannel } from '@posthorn/testing';
import { expect, test } from 'vitest';
import { createDispatcher } from '../src/dispatcher.js';
import type { StorageAdapter } from '../src/storage/ports.js';

/** A storage that records each call and its arguments. */
function watched(): { storage: StorageAdapter; calls: string[] } {
  const calls: string[] = [];
  const real = memoryStorage();
  const part = (name: string, methods: object) =>
    Object.fromEntries(
      Object.entries(methods).map(([method, run]) => [
        method,
        (...args: unknown[]) => {
          calls.push(`${name}.${method}`);
          return run(...args);
        },
      ]),
    );
  const { webhooks, deliveries, log, documents } = real;
  const parts = { webhooks, deliveries, log, documents };
  const watchedParts = Object.fromEntries(
    Object.entries(parts).map(([name, methods]) => [name, part(name, methods!)]),
  );
  return { storage: { ...real, ...watchedParts } as StorageAdapter, calls };
}

const texts = ['\0', 'wh_\0', 'evt_\ud800', 'dlv_\udfff', '', 'wh_', 'x'.repeat(100_000)];
const noText = [null, undefined, 7, {}];

test.each([...texts, ...noText].map((id) => [JSON.stringify(id)?.slice(0, 20) ?? 'undefined', id]))(
  'A malformed id, like %s, is not found without a storage call',
  async (_, given) => {
    const { storage, calls } = watched();
    const { webhooks, events, deliveries, replays, apiKeys } = createDispatcher({
      storage,
      channels: [recordingChannel()],
    });
    const id = given as string;
    const notFound = expect.objectContaining({ code: 'not_found' });
    for (const call of [
      () => webhooks.get(id),
      () => webhooks.update(id, { name: 'w' }),
      () => webhooks.revealSecret(id),
      () => webhooks.rotateSecret(id),
      () => webhooks.preview(id, { type: 'a.b' }),
      () => webhooks.test(id, { type: 'a.b' }),
      () => events.get(id),
      () => events.explain(id),
      () => deliveries.get(id),
      () => deliveries.attempts(id),
      () => deliveries.retry(id),
      () => deliveries.cancel(id),
      () => replays.get(id),
      () => replays.cancel(id),
      () => apiKeys.revoke(id),
    ]) {
      await expect((async () => call())(), String(call)).rejects.toEqual(notFound);
    }
    expect(await webhooks.isTaken(id)).toBe(false);
    expect(await webhooks.delete(id)).toBe(false);
    expect(await webhooks.delete(id, { version: 1 })).toBe(false);
    expect(calls).toEqual([]);
  },
);

test.each(['\0', 'a\ud800', '', 'x'.repeat(2_000), 7, null])(
  'An invalid cursor, like %j, is refused without a storage call',
  async (given) => {
    const { storage, calls } = watched();
    const { webhooks, events, deliveries, apiKeys } = createDispatcher({
      storage,
      channels: [recordingChannel()],
    });
    const cursor = given as string;
    const refused = expect.objectContaining({
      code: 'invalid_option',
      message: expect.stringContaining('cursor'),
    });
    for (const list of [
      webhooks.list,
      events.list,
      deliveries.list,
      deliveries.listUndelivered,
      apiKeys.list,
    ]) {
      await expect(list({ cursor })).rejects.toEqual(refused);
    }
    expect(calls).toEqual([]);
  },
);
