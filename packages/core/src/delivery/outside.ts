import { AsyncResource } from 'node:async_hooks';

/** Made when the module is loaded: it belongs to no request. */
const ofProcess = new AsyncResource('Posthorn');

/**
 * Runs `work` in the asynchronous context of the process, and not in its caller's: what an application keeps there for a
 * request, such as its trace and its baggage, does not go along to a receiver.
 */
export const outside = <Result>(work: () => Result): Result => ofProcess.runInAsyncScope(work);
