import { Agent, type Dispatcher, Pool } from 'undici';
import { HttpClient, type HttpClientOptions } from './client.js';
import { createGuard, type Guard } from './guard.js';
import { type OutboundOptions, settingsOf } from './options.js';
import { trustOf } from './trust.js';

const names = [
  ...(['policy', 'connectTimeoutMs', 'maxHeaderBytes', 'connections'] as const),
  ...(['keepAliveMs', 'maxConnectionAgeMs', 'ca'] as const),
] as const;

/** The options of `createOutbound` that have a meaning where there is no body to keep and no deadline. */
export type GuardedDispatcherOptions = Pick<OutboundOptions, (typeof names)[number]>;

/** Origins whose text was judged; where they lead is judged at each connection. */
const maxJudged = 4_096;

/**
 * The address guard alone: an undici dispatcher for `fetch` or any other client. Every request it carries, a
 * redirect that the client follows among them, is refused with a `PosthornError` as `createOutbound` would refuse it,
 * and goes to the addresses that were judged. Timeouts of the answer, caps and redirects are the client's to set.
 * Connections are kept to as many origins as are asked for, each for `keepAliveMs` after its last request.
 * Throws `invalid_option`.
 */
export function guardedDispatcher(options: GuardedDispatcherOptions = {}): Dispatcher {
  const settings = settingsOf(options, 'guardedDispatcher', names);
  const guard = createGuard({ ...settings, trust: trustOf({}, settings.ca).context });
  // A pool's own `clientTtl` looks at the clock for each of its connections at each request.
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

/** An agent that judges each origin. undici's own way, an interceptor, costs a twentieth of the throughput. */
class GuardedAgent extends Agent {
  readonly #guard: Guard;
  /** What is connected to, by what was asked for. */
  readonly #judged = new Map<string, string>();

  constructor(guard: Guard, options: Agent.Options) {
    super(options);
    this.#guard = guard;
  }

  override dispatch(request: Agent.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const asked = String(request.origin);
    const origin = this.#judged.get(asked) ?? this.#judge(asked);
    return super.dispatch(origin === request.origin ? request : { ...request, origin }, handler);
  }

  #judge(asked: string): string {
    const { origin } = this.#guard.check(asked);
    if (this.#judged.size === maxJudged) this.#judged.clear();
    this.#judged.set(asked, origin);
    return origin;
  }
}
