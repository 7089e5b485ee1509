import { expect, test } from 'vitest';
import { PlainCancellation } from '../../src/channels/cancellation.js';

test('a cancellation calls its listeners once, in order, and reports that it is aborted', () => {
  const cancellation = new PlainCancellation();
  const called: string[] = [];
  const first = () => called.push(`first ${cancellation.aborted}`);
  cancellation.addEventListener('abort', first);
  cancellation.addEventListener('abort', first);
  cancellation.addEventListener('abort', () => called.push('second'));
  cancellation.abort();
  cancellation.abort();
  expect(called).toEqual(['first true', 'second']);
});

test('a removed listener is not called, even when an earlier listener removes it', () => {
  const cancellation = new PlainCancellation();
  const called: string[] = [];
  const removed = () => called.push('removed');
  const later = () => called.push('later');
  cancellation.addEventListener('abort', removed);
  cancellation.addEventListener('abort', () => cancellation.removeEventListener('abort', later));
  cancellation.addEventListener('abort', later);
  cancellation.removeEventListener('abort', removed);
  cancellation.removeEventListener('abort', () => called.push('never added'));
  cancellation.abort();
  expect(called).toEqual([]);
});

test('an error of a listener does not reach the caller of abort, nor the other listeners', async () => {
  const cancellation = new PlainCancellation();
  let isCalled = false;
  cancellation.addEventListener('abort', () => {
    throw new Error('a listener that fails');
  });
  cancellation.addEventListener('abort', () => {
    isCalled = true;
  });
  const handlers = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  const thrown = new Promise((resolve) => process.once('uncaughtException', resolve));
  cancellation.abort();
  expect(isCalled).toBe(true);
  expect(String(await thrown)).toContain('a listener that fails');
  for (const handler of handlers) process.on('uncaughtException', handler);
});
