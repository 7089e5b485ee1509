import { expect, test, vi } from 'vitest';
import { withDeadline } from '../src/channel.js';

test('a promise in time settles as it would alone, and its timer is cleared', async () => {
  const clear = vi.spyOn(globalThis, 'clearTimeout');
  const onLate = vi.fn();
  expect(await withDeadline(Promise.resolve('value'), 60_000, onLate)).toBe('value');
  await expect(withDeadline(Promise.reject(new Error('refused')), 60_000, onLate)).rejects.toThrow('refused');
  expect(clear).toHaveBeenCalledTimes(2);
  for (const [timer] of clear.mock.calls) expect(timer).toHaveProperty('_destroyed', true);
  expect(onLate).not.toHaveBeenCalled();
  clear.mockRestore();
});

test('a late promise is replaced by the result of onLate, and its own rejection is ignored', async () => {
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<string>((_, refuse) => {
    reject = refuse;
  });
  expect(await withDeadline(promise, 1, async () => 'late')).toBe('late');
  reject(new Error('nobody waits for this'));
  const tooLate = () => {
    throw new Error('too late');
  };
  await expect(withDeadline(new Promise(() => {}), 1, tooLate)).rejects.toThrow('too late');
});
