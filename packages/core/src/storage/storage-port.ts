import { isPosthornError, kindOf, PosthornError } from '../errors.js';
import type { Storage, StorageSupport } from './ports.js';

/** What every storage must have. */
const requiredMethods = {
  webhooks: ['create', 'get', 'isTaken', 'list', 'all', 'update', 'delete'],
  deliveries: ['publish', 'claim', 'begin', 'renew', 'settle'],
  log: ['events', 'deliveries', 'counts', 'attempts', 'setStatus', 'prune'],
} as const;

/** What it may leave out, but not in part. */
const optionalMethods = {
  apiKeys: ['create', 'find', 'list', 'revoke', 'touch'],
  replays: ['create', 'get', 'cancel', 'claim', 'save', 'backfill', 'hasten'],
} as const;

const capabilities: readonly (keyof StorageSupport)[] = ['digests', 'transactions'];

/** The methods that take the application's transaction, in their second argument. */
const transactional = new Set(['webhooks.create', 'deliveries.publish']);

type Method = (...args: readonly unknown[]) => Promise<unknown>;
type Parts = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;

/**
 * The storage as the engine uses it. Throws `invalid_option` where a member is missing, or is not what `supports` says.
 * Its methods reject with nothing but a {@link PosthornError}: what else they throw becomes `storage_failed`.
 */
export function usableStorage<Tx>(storage: Storage<Tx>): Storage<Tx> {
  if (typeof storage !== 'object' || storage === null) {
    throw invalid(`storage must be an object, as memoryStorage() makes one, not ${kindOf(storage)}`);
  }
  const supports = supportIn(storage);
  if (storage.isVolatile !== undefined && typeof storage.isVolatile !== 'boolean') {
    throw invalid(`storage.isVolatile must be a boolean, not ${kindOf(storage.isVolatile)}`);
  }
  const parts = storage as unknown as Parts;
  const usable: Record<string, Record<string, Method>> = {};
  for (const [part, names] of Object.entries({ ...requiredMethods, ...optionalMethods })) {
    if (parts[part] === undefined && part in optionalMethods) continue;
    usable[part] = {};
    for (const name of names) usable[part][name] = checkedMethod(parts, part, name, supports);
  }
  const isVolatile = storage.isVolatile === true;
  return { ...usable, supports, isVolatile } as unknown as Storage<Tx>;
}

function supportIn({ supports }: Partial<Storage<never>>): Required<StorageSupport> {
  if (typeof supports !== 'object' || supports === null) {
    throw invalid(`storage.supports must be an object, {} where there is nothing, not ${kindOf(supports)}`);
  }
  for (const [name, value] of Object.entries(supports)) {
    if (!(capabilities as readonly string[]).includes(name)) {
      throw invalid(`storage.supports.${name} is unknown; there is ${capabilities.join(', ')}`);
    }
    if (value !== undefined && typeof value !== 'boolean') {
      throw invalid(`storage.supports.${name} must be a boolean, not ${kindOf(value)}`);
    }
  }
  return Object.fromEntries(
    capabilities.map((name) => [name, supports[name] === true]),
  ) as Required<StorageSupport>;
}

function checkedMethod(
  parts: Parts,
  part: string,
  name: string,
  { transactions }: Required<StorageSupport>,
): Method {
  const method = parts[part]?.[name];
  const path = `storage.${part}.${name}`;
  if (typeof method !== 'function') throw invalid(`${path} must be a function, not ${kindOf(method)}`);
  const refusesTx = !transactions && transactional.has(`${part}.${name}`);
  return async (...args) => {
    // The types rule out a `tx`, JavaScript does not. What is written outside of it would outlive its rollback.
    if (refusesTx && (args[1] as { readonly tx?: unknown } | undefined)?.tx !== undefined) {
      throw invalid('tx: this storage has no transactions');
    }
    try {
      return await method.apply(parts[part], args);
    } catch (cause) {
      if (isPosthornError(cause)) throw cause;
      throw new PosthornError('storage_failed', `${path} failed`, { cause });
    }
  };
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);
