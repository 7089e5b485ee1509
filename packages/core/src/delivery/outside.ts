import { AsyncResource } from 'node:async_hooks';

/** Created with the module, and so outside of every request. */
const ofProcess = new AsyncResource('Posthorn');

/**
 * Runs `work` outside of the caller's asynchronous context. What an application keeps there for a request, such as its trace
 * and baggage, must not reach a receiver.
 */
export const outside = <Result>(work: () => Result): Result => ofProcess.runInAsyncScope(work);
