import { randomUUID } from 'node:crypto';
import { kindOf, PosthornError } from '@posthorn/core';
import { type Authenticate, type Caller, callerOf } from './authenticate.js';
import { readBody } from './body.js';
import { checked } from './checked.js';
import { type CorsOptions, crossOrigin } from './cors.js';
import { knowBody } from './known-body.js';
import { readQuery } from './query.js';
import { type RateLimitOptions, rateLimit } from './rate-limit.js';
import { invalid, refusalOf, refuse } from './refusal.js';
import type { Answer, AnyDispatcher, Method, Route } from './route.js';
import { type Found, router } from './router.js';
import { routes } from './routes/routes.js';
import { serviceRoutes } from './routes/service.js';

/** A request comes in, an answer goes out: what Hono, Next, Bun and Deno call a handler, and `toNode` mounts elsewhere. */
export type Handler = (request: Request) => Promise<Response>;

export interface ApiOptions {
  /** Where all calls are. Default `/v1/organizations`. */
  readonly basePath?: string;
  /** Who calls, by the application's own sessions or tokens. Default: by API keys, `dispatcher.apiKeys`. */
  readonly auth?: Authenticate;
  /** How many bytes a body may have. Default 262,144. */
  readonly maxBodyBytes?: number;
  /** How many calls each key, or else each tenant, may make in this process. Default 100 a second, 1,000 at once; false: any. */
  readonly rateLimit?: RateLimitOptions | false;
  /** As `rateLimit`, for calls that send something at once, for each tenant. Default 1 a second, 10 at once. */
  readonly testRateLimit?: RateLimitOptions | false;
  /** Which pages of other origins may call it. Default: none. */
  readonly cors?: CorsOptions;
  /** Hears of every answer: a log, an audit trail, a metric. What it throws hurts nothing. */
  readonly onAnswer?: (answered: Answered) => void;
  /** Hears why an answer is a 500. Default: a warning of the process. */
  readonly onError?: (error: unknown, answered: Answered) => void;
}

/** What was answered, to whom. */
export interface Answered {
  readonly requestId: string;
  readonly method: string;
  /** The route's, with its parameters' names; null where there is none. */
  readonly route: string | null;
  readonly status: number;
  readonly durationMs: number;
  /** Null where nobody was found to be calling. */
  readonly caller: Pick<Caller, 'tenantId' | 'keyId'> | null;
}

/** What is learned of a request on its way. */
interface Trace {
  route: Route | null;
  caller: Caller | null;
}

const known = [
  'basePath',
  'auth',
  'maxBodyBytes',
  'rateLimit',
  'testRateLimit',
  'cors',
  'onAnswer',
  'onError',
];
const noLimit = () => {};

/**
 * The management API over an engine. A tenant's credentials show that tenant's webhooks, events and deliveries, and no
 * call shows or changes another's. Throws `invalid_option`. The handler never rejects: what fails is a 500, and `onError`.
 */
export function createApi(dispatcher: AnyDispatcher, options: ApiOptions = {}): Handler {
  const { basePath, auth, maxBodyBytes, limit, testLimit, cors, onAnswer, onError } = settingsOf(options);
  if (!auth && !dispatcher.apiKeys.areKept) {
    throw invalidOption('the storage keeps no API keys: createApi needs auth, which says who calls');
  }
  const find = router([...routes, ...serviceRoutes(dispatcher, basePath, routes)]);

  async function answerTo(request: Request, trace: Trace): Promise<Answer> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== basePath && !pathname.startsWith(`${basePath}/`)) throw noSuchPath();
    const found = find(pathname.slice(basePath.length));
    const route = found && routeOf(found, request.method as Method);
    trace.route = route ?? null;
    if (route?.scopes !== 'open') {
      const caller = await callerOf(request, dispatcher, auth);
      trace.caller = caller;
      limit(caller.keyId ?? `tenant ${caller.tenantId}`);
    }
    if (!found) throw noSuchPath();
    if (!route) throw notAllowed(found);
    const caller = trace.caller ?? nobody;
    checkScopes(route, caller);
    if (route.isSending) testLimit(caller.tenantId);
    const query = route.query ? readQuery(route.query, searchParams) : readNoQuery(searchParams);
    const { text: bodyText, value } = await readBody(request, maxBodyBytes);
    const body = route.body ? checked(route.body, value, 'body') : undefined;
    const { params } = found;
    const { tenantId } = caller;
    const { headers } = request;
    return route.handle({ dispatcher, caller, tenantId, params, query, body, bodyText, headers });
  }

  return async (request) => {
    const startedAt = performance.now();
    const requestId = randomUUID();
    const trace: Trace = { route: null, caller: null };
    const preflight = cors.preflight(request);
    if (preflight) return preflight;
    let answer: Answer;
    let failure: { readonly error: unknown } | undefined;
    try {
      answer = await answerTo(request, trace);
    } catch (error) {
      const refusal = refusalOf(error);
      if (!refusal) failure = { error };
      answer = refusal ?? internal(requestId);
    }
    const { status } = answer;
    const durationMs = performance.now() - startedAt;
    const { route, caller } = trace;
    const answered = {
      requestId,
      method: request.method,
      route: route?.path ?? null,
      status,
      durationMs,
      caller,
    };
    if (failure) tell(() => onError(failure.error, answered));
    tell(() => onAnswer?.(answered));
    return responseOf(answer, request, { 'x-request-id': requestId, ...cors.headers(request) });
  };
}

const nobody: Caller = { tenantId: '', scopes: [] };

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

function readNoQuery(params: URLSearchParams): undefined {
  const [name] = params.keys();
  if (name !== undefined)
    throw invalid([{ loc: ['query', name], msg: 'no such field', type: 'extra_forbidden' }]);
}

const noSuchPath = () => refuse(404, 'nothing is at this path');

function notAllowed({ routes }: Found) {
  const allow = [...routes.keys()].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  return refuse(405, `this path takes ${allow.join(', ')}`, {}, { allow: allow.join(', ') });
}

function internal(requestId: string): Answer {
  return refuse(500, 'something failed on our side; give us the request_id', { request_id: requestId });
}

/** A listener is the application's, and may throw anything. */
function tell(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}

function responseOf(answer: Answer, request: Request, headers: Readonly<Record<string, string>>): Response {
  const { status, body, text = body === undefined ? null : JSON.stringify(body) } = answer;
  const sent = request.method === 'HEAD' ? null : text;
  const response = new Response(sent, {
    status,
    headers: {
      ...(text !== null && { 'content-type': 'application/json' }),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...headers,
      ...answer.headers,
    },
  });
  return typeof sent === 'string' ? knowBody(response, sent) : response;
}

function settingsOf(options: ApiOptions) {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidOption(`options of createApi must be an object, not ${kindOf(options)}`);
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw invalidOption(`createApi has no option ${unknown}; there is ${known.join(', ')}`);
  // Its own fields alone: what a polluted Object.prototype holds is no option.
  const own: ApiOptions = Object.assign(Object.create(null), options);
  const { basePath = '/v1/organizations', auth, maxBodyBytes = 262_144, onAnswer } = own;
  if (typeof basePath !== 'string' || !/^(?:\/[A-Za-z0-9._~-]+)*$/.test(basePath)) {
    throw invalidOption("basePath must be '' or a path like /v1/organizations, without a slash at its end");
  }
  if (auth !== undefined && typeof auth !== 'function') {
    throw invalidOption(`auth must be a function, not ${kindOf(auth)}`);
  }
  if (!Number.isSafeInteger(maxBodyBytes) || maxBodyBytes < 1) {
    throw invalidOption('maxBodyBytes must be a whole number of bytes, 1 or more');
  }
  const onError = own.onError ?? ((error: unknown) => process.emitWarning(error as Error));
  return {
    basePath,
    auth,
    maxBodyBytes,
    onAnswer,
    onError,
    limit: limitOf(own.rateLimit ?? { perSecond: 100, burst: 1_000 }, 'rateLimit'),
    testLimit: limitOf(own.testRateLimit ?? { perSecond: 1, burst: 10 }, 'testRateLimit'),
    cors: crossOrigin(own.cors),
  };
}

function limitOf(options: RateLimitOptions | false, name: string): (caller: string) => void {
  if (options === false) return noLimit;
  const { perSecond, burst } = options ?? {};
  if (!(perSecond > 0) || !Number.isFinite(perSecond) || !Number.isSafeInteger(burst) || burst < 1) {
    throw invalidOption(`${name} must be false, or have perSecond above 0 and burst, 1 or more`);
  }
  return rateLimit({ perSecond, burst }, () => performance.now());
}

const invalidOption = (message: string): PosthornError => new PosthornError('invalid_option', message);
