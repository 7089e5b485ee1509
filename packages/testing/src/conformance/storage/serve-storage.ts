import { isPosthornError, PosthornError, type StorageAdapter } from '@posthorn/core';

/** A request to a handle: to open or close it, to follow the clock of the rules, or to call a method of a storage. */
export type Request = { readonly handle: number } & (
  | { readonly ask: 'open'; readonly data: unknown }
  | { readonly ask: 'close' }
  | { readonly ask: 'advance'; readonly ms: number }
  | {
      readonly ask: 'call';
      readonly part: string;
      readonly method: string;
      readonly args: readonly unknown[];
    }
);

/** The answer to the request of this number. Errors lose their class on the way, so the code is sent separately. */
export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly code: PosthornError['code'] | undefined; readonly message: string };
}

interface Handle {
  storage: Record<string, Record<string, (...args: readonly unknown[]) => unknown>>;
  advancedMs: number;
}

/**
 * Serves storages to the process of the suite. Call it in the module that a harness names as its `second`. `open`
 * creates a handle on the data of one rule from the harness's `data`; `advancedMs` returns how far the rule has
 * advanced the clock since, in milliseconds. The process ends with the one that started it. Throws `invalid_option`
 * where the suite did not start it.
 */
export function serveStorage<Data, Tx = never>(
  open: (data: Data, advancedMs: () => number) => StorageAdapter<Tx> | Promise<StorageAdapter<Tx>>,
): void {
  if (!process.send) {
    throw new PosthornError(
      'invalid_option',
      'serveStorage must be called in a process that the suite starts: name the module as `second.module` in a harness',
    );
  }
  const handles = new Map<number, Handle>();
  const of = (handle: number): Handle => {
    const known = handles.get(handle);
    if (!known) throw new Error(`handle ${handle} is not open`);
    return known;
  };

  async function answer(request: Request): Promise<unknown> {
    if (request.ask === 'open') {
      const handle: Handle = { storage: {}, advancedMs: 0 };
      const storage: unknown = await open(request.data as Data, () => handle.advancedMs);
      handles.set(request.handle, Object.assign(handle, { storage }));
    } else if (request.ask === 'close') handles.delete(request.handle);
    else if (request.ask === 'advance') of(request.handle).advancedMs += request.ms;
    else {
      const { part, method, args } = request;
      const store = of(request.handle).storage[part];
      if (typeof store?.[method] !== 'function')
        throw new Error(`storage.${part}.${method} is not a function`);
      return store[method](...args);
    }
    return undefined;
  }

  process.once('disconnect', () => process.exit());
  process.on('message', ({ id, ...request }: Request & { readonly id: number }) => {
    answer(request as Request).then(
      (value) => process.send?.({ id, value } satisfies Answer),
      (error: unknown) => process.send?.({ id, error: told(error) } satisfies Answer),
    );
  });
}

function told(error: unknown): NonNullable<Answer['error']> {
  const code = isPosthornError(error) ? error.code : undefined;
  return { code, message: error instanceof Error ? error.message : String(error) };
}
