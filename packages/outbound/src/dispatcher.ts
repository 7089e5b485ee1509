import { Agent, type Dispatcher, Pool } from 'undici';
import { HttpClient, type HttpClientOptions } from './client.js';
import { createGuard, type Guard } from './guard.js';
import { type OutboundOptions, settingsOf } from './options.js';
import { trustOf } from './trust.js';

const names = [
  ...(['policy', 'connectTimeoutMs', 'maxHeaderBytes', 'connections'] as const),
  ...(['keepAliveMs', 'maxConnectionAgeMs', 'ca'] as const),
] as const;

/** The options of `createOutbound` that apply to connections alone: no deadline, no cap on the body. */
export type GuardedDispatcherOptions = Pick<OutboundOptions, (typeof names)[number]>;

/** How many checked origins are cached. What an origin resolves to is checked at each connection. */
const maxChecked = 4_096;

/**
 * Creates an undici dispatcher with the address guard alone, for `fetch` or any other client.
 * - It refuses the addresses that `createOutbound` refuses, with a `PosthornError`. Redirects that the client follows
 *   are checked too.
 * - It connects to the checked addresses only.
 * - Response timeouts, caps and redirects are up to the client.
 * - It keeps connections to any number of origins, each for `keepAliveMs` after its last request.
 *
 * Throws `invalid_option`.
 */
export function guardedDispatcher(options: GuardedDispatcherOptions = {}): Dispatcher {
  const settings = settingsOf(options, 'guardedDispatcher', names);
  const guard = createGuard({ ...settings, trust: trustOf({}, settings.ca).context });
  // undici's own `clientTtl` reads the clock for every connection at every request.
  const factory: NonNullable<Pool.Options['factory']> = (origin, client) =>
    new HttpClient(origin, { ...(client as HttpClientOptions), maxAgeMs: settings.maxConnectionAgeMs });
  return new GuardedAgent(guard, {
    factory: (origin, pool: Pool.Options) => new Pool(origin, { ...pool, factory }),
    connect: guard.connect,
    connections: settings.connections,
    keepAliveTimeout: settings.keepAliveMs,
    keepAliveMaxTimeout: settings.keepAliveMs,
    maxHeaderSize: settings.maxHeaderBytes,
  });
}

/** An agent that checks each origin. An undici interceptor would do the same and costs 5% of the throughput. */
class GuardedAgent extends Agent {
  readonly #guard: Guard;
  /** The origin to connect to, by requested origin. */
  readonly #checked = new Map<string, string>();

  constructor(guard: Guard, options: Agent.Options) {
    super(options);
    this.#guard = guard;
  }

  override dispatch(request: Agent.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const asked = String(request.origin);
    const origin = this.#checked.get(asked) ?? this.#check(asked);
    return super.dispatch(origin === request.origin ? request : { ...request, origin }, handler);
  }

  #check(asked: string): string {
    const { origin } = this.#guard.check(asked);
    if (this.#checked.size === maxChecked) this.#checked.clear();
    this.#checked.set(asked, origin);
    return origin;
  }
}
