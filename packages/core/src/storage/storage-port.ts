import { isPosthornError, kindOf, PosthornError } from '../errors.js';
import type { Storage } from './ports.js';

/** What a storage must have. */
const methods = {
  webhooks: ['create', 'get', 'isTaken', 'list', 'all', 'update', 'delete'],
  deliveries: ['publish', 'claim', 'begin', 'renew', 'settle'],
  log: ['events', 'deliveries', 'counts', 'attempts', 'setStatus', 'prune'],
} as const;

/** What it may leave out, but not in part. */
const optionalMethods = {
  apiKeys: ['create', 'find', 'list', 'revoke', 'touch'],
  replays: ['create', 'get', 'cancel', 'claim', 'save', 'backfill', 'hasten'],
} as const;

/**
 * The storage as the engine uses it: has every method of the port (else throws `invalid_option`), and rejects with
 * nothing but a {@link PosthornError}: what else it throws becomes `storage_failed`.
 */
export function usableStorage<Tx>(storage: Storage<Tx>): Storage<Tx> {
  const parts = storage as unknown as Record<string, Record<string, unknown>> | undefined;
  const usable: Record<string, Record<string, unknown>> = {};
  for (const [part, names] of Object.entries({ ...methods, ...optionalMethods })) {
    const store = parts?.[part];
    if (store === undefined && part in optionalMethods) continue;
    usable[part] = {};
    for (const name of names) {
      const method = store?.[name];
      if (typeof method !== 'function') {
        throw new PosthornError(
          'invalid_option',
          `storage.${part}.${name} must be a function, not ${kindOf(method)}`,
        );
      }
      usable[part][name] = async (...args: unknown[]) => {
        try {
          return await method.apply(store, args);
        } catch (cause) {
          if (isPosthornError(cause)) throw cause;
          throw new PosthornError('storage_failed', `storage.${part}.${name} failed`, { cause });
        }
      };
    }
  }
  const losesEverythingOnExit = storage.losesEverythingOnExit === true;
  const gathersDigests = storage.gathersDigests === true;
  return { ...usable, losesEverythingOnExit, gathersDigests } as unknown as Storage<Tx>;
}
