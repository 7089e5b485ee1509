import { expect, test, vi } from 'vitest';
import { withDeadline } from '../src/channel.js';

test('a promise in time settles as it would alone, and its timer is cleared', async () => {
  vi.useFakeTimers();
  const onLate = vi.fn();
  expect(await withDeadline(Promise.resolve('value'), 60_000, onLate)).toBe('value');
  await expect(withDeadline(Promise.reject(new Error('refused')), 60_000, onLate)).rejects.toThrow('refused');
  expect(vi.getTimerCount()).toBe(0);
  expect(onLate).not.toHaveBeenCalled();
  vi.useRealTimers();
});

test('a late promise is replaced by the result of onLate, and its own rejection is ignored', async () => {
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<string>((_, refuse) => {
    reject = refuse;
  });
  expect(await withDeadline(promise, 1, async () => 'late')).toBe('late');
  reject(new Error('the deadline has passed'));
  const tooLate = () => {
    throw new Error('too late');
  };
  await expect(withDeadline(new Promise(() => {}), 1, tooLate)).rejects.toThrow('too late');
});
