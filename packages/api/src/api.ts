import { randomUUID } from 'node:crypto';
import { PosthornError } from '@posthorn/core';
import { describeType } from '@posthorn/core/channel';
import { type Caller, callerOf } from './authenticate.js';
import { readBody } from './body.js';
import { checked } from './checked.js';
import { type Asked, type Handler, handlerOf, type Reply } from './exchange.js';
import { type Answered, type ApiOptions, settingsOf, warn } from './options.js';
import { readQuery } from './query.js';
import { invalid, refusalOf, refuse } from './refusal.js';
import type { Answer, AnyDispatcher, Call, Method, Route } from './route.js';
import { type Found, router } from './router.js';
import { routesOf } from './routes/routes.js';
import { streamOf } from './stream.js';

/** What is known of a request so far. */
interface Trace {
  route: Route | null;
  caller: Caller | null;
}

/**
 * Creates the management API of an engine. Credentials give access to the webhooks, events and deliveries of one tenant
 * and to no other's. Throws `invalid_option`. The handler never rejects: a failure is answered with 500 and passed to
 * `onError`.
 */
export function createApi(dispatcher: AnyDispatcher, options: ApiOptions = {}): Handler {
  const settings = settingsOf(options);
  const { basePath, auth, limit, testLimit, cors, onAnswer, onError } = settings;
  if (!auth && !dispatcher.apiKeys.areKept) {
    throw new PosthornError(
      'invalid_option',
      'the storage keeps no API keys: pass auth to createApi, which identifies the caller',
    );
  }
  const find = router(routesOf(dispatcher, settings));

  /** The order of the checks matters: an unknown caller must not learn which paths exist. */
  async function answerTo(asked: Asked, trace: Trace): Promise<Answer> {
    const url = asked.url();
    const { pathname } = url;
    if (pathname !== basePath && !pathname.startsWith(`${basePath}/`)) throw noSuchPath();
    const found = find(pathname.slice(basePath.length));
    const route = found && routeOf(found, asked.method);
    trace.route = route ?? null;
    const caller = route?.scopes === 'open' ? anonymous : await knownCaller(asked, trace);
    if (!found) throw noSuchPath();
    if (!route) throw notAllowed(found);
    checkScopes(route, caller);
    if (route.isSending) testLimit(caller.tenantId);
    const { query, body, bodyText } = await askedFor(route, asked, url);
    const { headers } = asked;
    const { tenantId } = caller;
    return route.handle({
      dispatcher,
      caller,
      tenantId,
      params: found.params,
      query,
      body,
      bodyText,
      headers,
    });
  }

  async function knownCaller(asked: Asked, trace: Trace): Promise<Caller> {
    const caller = await callerOf(asked, dispatcher.apiKeys, auth);
    trace.caller = caller;
    limit(JSON.stringify([caller.tenantId, caller.keyId]));
    return caller;
  }

  async function askedFor(
    route: Route,
    asked: Asked,
    url: URL,
  ): Promise<Pick<Call, 'query' | 'body' | 'bodyText'>> {
    const query = route.query ? readQuery(route.query, url.searchParams) : readNoQuery(url);
    const { text: bodyText, value } = await readBody(asked, settings.maxBodyBytes);
    const body = route.body ? checked(route.body, value, 'body') : readNoBody(value);
    return { query, body, bodyText };
  }

  return handlerOf(async (asked) => {
    const startedAt = performance.now();
    const preflight = cors.preflight(asked);
    if (preflight) return preflight;
    const requestId = randomUUID();
    const headers = { 'x-request-id': requestId, ...cors.headers(asked) };
    const trace: Trace = { route: null, caller: null };
    const answered = (status: number): Answered => ({
      requestId,
      method: asked.method,
      route: trace.route?.path ?? null,
      status,
      durationMs: performance.now() - startedAt,
      caller: trace.caller && callerShown(trace.caller),
    });
    const failed = (error: unknown, status: number) => tell(() => onError(error, answered(status)));

    async function replyTo(): Promise<Reply> {
      try {
        const answer = await answerTo(asked, trace);
        return await replyOf(answer, asked, headers, (error) => failed(error, answer.status));
      } catch (error) {
        const refusal = refusalOf(error, trace.route);
        if (!refusal || refusal.status === 500) failed(error, 500);
        return replyOf(refusal ?? internal(requestId), asked, headers, warn);
      }
    }
    const reply = await replyTo();
    tell(() => onAnswer(answered(reply.status)));
    return reply;
  });
}

const anonymous: Caller = { tenantId: '', scopes: [] };

const callerShown = ({ tenantId, keyId }: Caller): Answered['caller'] => ({
  tenantId,
  ...(keyId !== undefined && { keyId }),
});

/** HEAD is GET without the body (RFC 9110, 9.3.2). */
const routeOf = ({ routes }: Found, method: string): Route | undefined =>
  routes.get((method === 'HEAD' ? 'GET' : method) as Method);

function checkScopes({ scopes }: Route, caller: Caller): void {
  if (scopes === 'open') return;
  const missing = scopes.filter((scope) => !caller.scopes.includes(scope));
  if (missing.length > 0) {
    throw refuse(403, `these credentials lack the scope ${missing.join(', ')}`, { missing_scopes: missing });
  }
}

function readNoQuery(url: URL): undefined {
  if (url.search === '') return;
  const [name] = url.searchParams.keys();
  if (name !== undefined)
    throw invalid([{ loc: ['query', name], msg: 'no such field', type: 'extra_forbidden' }]);
}

/** Some clients send a body with every POST, and `{}` if they have nothing to send. */
function readNoBody(value: unknown): undefined {
  if (value === undefined || value === null) return;
  const names = typeof value === 'object' && !Array.isArray(value) ? Object.keys(value) : undefined;
  if (!names)
    throw invalid([
      { loc: ['body'], msg: `must be left out, not ${describeType(value)}`, type: 'extra_forbidden' },
    ]);
  const [name] = names;
  if (name !== undefined)
    throw invalid([{ loc: ['body', name], msg: 'no such field', type: 'extra_forbidden' }]);
}

const noSuchPath = () => refuse(404, 'there is no such path');

function notAllowed({ routes }: Found) {
  const allow = [...routes.keys()].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  return refuse(405, `this path takes ${allow.join(', ')}`, {}, { allow: allow.join(', ') });
}

const internal = (requestId: string): Answer =>
  refuse(500, 'internal error: report the request_id to the operator', { request_id: requestId });

/** Calls a listener of the application, which may be asynchronous and may throw anything. */
function tell(listener: () => unknown): void {
  try {
    Promise.resolve(listener()).catch(warn);
  } catch (error) {
    warn(error);
  }
}

async function replyOf(
  { status, body, text, pieces, headers: own }: Answer,
  { method }: Asked,
  headers: Readonly<Record<string, string>>,
  onBroken: (error: unknown) => void,
): Promise<Reply> {
  const isHead = method === 'HEAD';
  const whole = text ?? (body === undefined ? null : JSON.stringify(body));
  const content = pieces ? await streamOf(pieces, isHead, onBroken) : whole;
  return {
    status,
    headers: {
      ...(content !== null && { 'content-type': 'application/json' }),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...headers,
      ...own,
    },
    content: isHead ? null : content,
  };
}
