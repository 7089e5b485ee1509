import { isPosthornError, kindOf, PosthornError } from '../errors.js';
import { countsByPaging } from './counts.js';
import type { DeliveryLog } from './log-port.js';
import type { Storage, StorageSupport } from './ports.js';

type Capability = keyof StorageSupport;
type Support = Readonly<Record<Capability, boolean>>;
const capabilities: readonly Capability[] = ['digests', 'documents', 'replays', 'transactions'];

/** The methods of each part, and the capability without which a storage has none of them. */
const methods: readonly (readonly [part: string, names: readonly string[], capability?: Capability])[] = [
  ['webhooks', ['create', 'get', 'list', 'update', 'delete']],
  ['deliveries', ['publish', 'claim', 'begin', 'renew', 'settle']],
  ['deliveries', ['backfill'], 'replays'],
  ['log', ['events', 'deliveries', 'attempts', 'transition', 'prune']],
  ['documents', ['get', 'put', 'list', 'due'], 'documents'],
];

/** The methods that take the application's transaction, in their second argument. */
const transactional: readonly string[] = ['webhooks.create', 'deliveries.publish'];

type Method = (...args: readonly unknown[]) => Promise<unknown>;
type Parts = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;

/** The storage as the engine uses it: `supports` is whole, and `log.counts` is there. */
export interface UsableStorage<Tx = never> extends Storage<Tx> {
  readonly supports: Support;
  readonly log: Required<DeliveryLog>;
}

/**
 * Checks that a storage has the members that every storage has, and those that `supports` declares, and no others of the
 * port; throws `invalid_option`. The methods of the result reject with a {@link PosthornError} in any case: what else the
 * storage throws becomes `storage_failed`.
 */
export function usableStorage<Tx>(storage: Storage<Tx>): UsableStorage<Tx> {
  if (typeof storage !== 'object' || storage === null) {
    throw invalid(`storage must be an object, as memoryStorage() returns one, not ${kindOf(storage)}`);
  }
  const parts = storage as unknown as Parts;
  const supports = supportIn(storage);
  const usable: Record<string, Record<string, Method>> = {};
  for (const [part, names, capability] of methods) {
    for (const name of names) {
      const isExpected = capability === undefined || supports[capability];
      if (isExpected) usable[part] = { ...usable[part], [name]: methodOf(parts, part, name, supports) };
      else if (parts[part]?.[name] !== undefined) {
        throw invalid(
          `storage.supports.${capability} must be true, as there is storage.${part}.${name}; declare it, or leave that out`,
        );
      }
    }
  }
  const log = usable.log as unknown as DeliveryLog;
  const counts =
    parts.log?.counts !== undefined
      ? methodOf(parts, 'log', 'counts', supports)
      : countsByPaging(log.deliveries);
  const isVolatile = storage.isVolatile === true;
  return { ...usable, log: { ...log, counts }, supports, isVolatile } as unknown as UsableStorage<Tx>;
}

function supportIn({ supports, isVolatile }: Partial<Storage<never>>): Support {
  if (isVolatile !== undefined) checkBoolean('storage.isVolatile', isVolatile);
  if (typeof supports !== 'object' || supports === null) {
    throw invalid(
      `storage.supports must be an object, {} for a storage without any capability, not ${kindOf(supports)}`,
    );
  }
  for (const [name, value] of Object.entries(supports)) {
    if (!(capabilities as readonly string[]).includes(name)) {
      throw invalid(`storage.supports.${name} is unknown; there is ${capabilities.join(', ')}`);
    }
    checkBoolean(`storage.supports.${name}`, value);
  }
  if (supports.replays && !supports.documents) {
    throw invalid(
      'storage.supports.replays needs storage.supports.documents: each replay is kept as a document',
    );
  }
  return Object.fromEntries(capabilities.map((name) => [name, supports[name] === true])) as Support;
}

function checkBoolean(path: string, value: unknown): void {
  if (typeof value !== 'boolean') throw invalid(`${path} must be a boolean, not ${kindOf(value)}`);
}

function methodOf(parts: Parts, part: string, name: string, { transactions }: Support): Method {
  const method = parts[part]?.[name];
  const path = `storage.${part}.${name}`;
  if (typeof method !== 'function') throw invalid(`${path} must be a function, not ${kindOf(method)}`);
  const refusesTx = !transactions && transactional.includes(`${part}.${name}`);
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
