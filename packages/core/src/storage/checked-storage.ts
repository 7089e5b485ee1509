import { describeType, isPosthornError, PosthornError } from '../errors.js';
import { countsByPaging } from './counts.js';
import type { DeliveryLog } from './log-port.js';
import type { StorageAdapter, StorageSupport } from './ports.js';

type Capability = keyof StorageSupport;
type Support = Readonly<Record<Capability, boolean>>;
const capabilities: readonly Capability[] = ['digests', 'documents', 'replays', 'transactions'];

/**
 * The methods of each part. With a capability: a storage must have them if, and only if, it declares that capability.
 */
const methods: readonly (readonly [part: string, names: readonly string[], capability?: Capability])[] = [
  ['webhooks', ['create', 'get', 'list', 'update', 'delete']],
  ['deliveries', ['publish', 'claim', 'begin', 'renew', 'settle']],
  ['deliveries', ['backfill'], 'replays'],
  ['log', ['events', 'deliveries', 'attempts', 'transition', 'prune']],
  ['documents', ['get', 'put', 'list', 'due'], 'documents'],
];

/** The methods that take the application's transaction, as `tx` of their second argument. */
const transactional: readonly string[] = ['webhooks.create', 'deliveries.publish'];

type Method = (...args: readonly unknown[]) => Promise<unknown>;
type Parts = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;

/** The storage as the engine uses it: every capability is true or false, and `log.counts` is present. */
export interface CheckedStorage<Tx = never> extends StorageAdapter<Tx> {
  readonly supports: Support;
  readonly log: Required<DeliveryLog>;
}

/**
 * Checks that a storage has every required method, and exactly those optional methods that `supports` declares. Throws
 * `invalid_option`. The methods of the result only reject with a {@link PosthornError}: any other error of the storage
 * becomes the cause of a `storage_failed`.
 */
export function checkedStorage<Tx>(storage: StorageAdapter<Tx>): CheckedStorage<Tx> {
  if (typeof storage !== 'object' || storage === null) {
    throw invalid(`storage must be an object, such as memoryStorage(), not ${describeType(storage)}`);
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
          `storage.${part}.${name} needs storage.supports.${capability}: set that to true, or remove the method`,
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
  return { ...usable, log: { ...log, counts }, supports, isVolatile } as unknown as CheckedStorage<Tx>;
}

function supportIn({ supports, isVolatile }: Partial<StorageAdapter<never>>): Support {
  if (isVolatile !== undefined) checkBoolean('storage.isVolatile', isVolatile);
  if (typeof supports !== 'object' || supports === null) {
    throw invalid(
      `storage.supports must be an object, {} for a storage without capabilities, not ${describeType(supports)}`,
    );
  }
  for (const [name, value] of Object.entries(supports)) {
    if (!(capabilities as readonly string[]).includes(name)) {
      throw invalid(`unknown capability storage.supports.${name}: use ${capabilities.join(', ')}`);
    }
    checkBoolean(`storage.supports.${name}`, value);
  }
  if (supports.replays && !supports.documents) {
    throw invalid(
      'storage.supports.replays needs storage.supports.documents: each replay is stored as a document',
    );
  }
  return Object.fromEntries(capabilities.map((name) => [name, supports[name] === true])) as Support;
}

function checkBoolean(path: string, value: unknown): void {
  if (typeof value !== 'boolean') throw invalid(`${path} must be a boolean, not ${describeType(value)}`);
}

function methodOf(parts: Parts, part: string, name: string, { transactions }: Support): Method {
  const method = parts[part]?.[name];
  const path = `storage.${part}.${name}`;
  if (typeof method !== 'function') throw invalid(`${path} must be a function, not ${describeType(method)}`);
  const refusesTx = !transactions && transactional.includes(`${part}.${name}`);
  return async (...args) => {
    // JavaScript can pass a `tx` that the types rule out. A write outside the transaction would survive its rollback.
    if (refusesTx && (args[1] as { readonly tx?: unknown } | undefined)?.tx !== undefined) {
      throw invalid('tx must be left out: this storage does not support transactions');
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
