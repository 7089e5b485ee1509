import { Agent, type Dispatcher } from 'undici';
import { createGuard } from './guard.js';
import { type OutboundOptions, settingsOf } from './options.js';
import { trustOf } from './trust.js';

/** The options of `createOutbound` that have a meaning where there is no body to keep and no deadline. */
export type GuardedDispatcherOptions = Pick<
  OutboundOptions,
  'policy' | 'connectTimeoutMs' | 'maxHeaderBytes' | 'connections' | 'keepAliveMs' | 'ca'
>;

/**
 * The address guard alone: an undici dispatcher for `fetch` or any other client. Every request it carries, a
 * redirect that the client follows among them, is refused with a `PosthornError` as `createOutbound` would refuse it,
 * and goes to the addresses that were judged. Timeouts of the answer, caps and redirects are the client's to set.
 * Throws `invalid_option`.
 */
export function guardedDispatcher(options: GuardedDispatcherOptions = {}): Dispatcher {
  const settings = settingsOf(options);
  const guard = createGuard({ ...settings, trust: trustOf({}, settings.ca).context });
  const agent = new Agent({
    connect: guard.connect,
    connections: settings.connections,
    keepAliveTimeout: settings.keepAliveMs,
    keepAliveMaxTimeout: settings.keepAliveMs,
    maxHeaderSize: settings.maxHeaderBytes,
  });
  return agent.compose((dispatch) => (request, handler) => {
    guard.check(`${request.origin}`);
    return dispatch(request, handler);
  });
}
