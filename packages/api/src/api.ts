import { randomUUID } from 'node:crypto';
import { kindOf, PosthornError } from '@posthorn/core';
import { type Caller, callerOf } from './authenticate.js';
import { readBody } from './body.js';
import { checked } from './checked.js';
import { isDirect, knowBody, markDirect } from './known-body.js';
import { type Answered, type ApiOptions, settingsOf, warn } from './options.js';
import { readQuery } from './query.js';
import { invalid, refusalOf, refuse } from './refusal.js';
import type { Answer, AnyDispatcher, Call, Method, Route } from './route.js';
import { type Found, router } from './router.js';
import { routesOf } from './routes/routes.js';
import { streamOf } from './stream.js';

/** A request comes in, an answer goes out: what Hono, Next, Bun and Deno call a handler, and `toNode` mounts elsewhere. */
export type Handler = (request: Request) => Promise<Response>;

/** What is learned of a request on its way. */
interface Trace {
  route: Route | null;
  caller: Caller | null;
}

/**
 * The management API over an engine. A tenant's credentials show that tenant's webhooks, events and deliveries, and no
 * call shows or changes another's. Throws `invalid_option`. The handler never rejects: what fails is a 500, and `onError`.
 */
export function createApi(dispatcher: AnyDispatcher, options: ApiOptions = {}): Handler {
  const settings = settingsOf(options);
  const { basePath, auth, limit, testLimit, cors, onAnswer, onError } = settings;
  if (!auth && !dispatcher.apiKeys.areKept) {
    throw new PosthornError(
      'invalid_option',
      'the storage keeps no API keys: createApi needs auth, which says who calls',
    );
  }
  const find = router(routesOf(dispatcher, settings));

  /** Who asks for what, in the order in which it may be told: nobody learns what there is before they are known. */
  async function answerTo(request: Request, trace: Trace): Promise<Answer> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== basePath && !pathname.startsWith(`${basePath}/`)) throw noSuchPath();
    const found = find(pathname.slice(basePath.length));
    const route = found && routeOf(found, request.method);
    trace.route = route ?? null;
    const caller = route?.scopes === 'open' ? nobody : await knownCaller(request, trace);
    if (!found) throw noSuchPath();
    if (!route) throw notAllowed(found);
    checkScopes(route, caller);
    if (route.isSending) testLimit(caller.tenantId);
    const { query, body, bodyText } = await askedFor(route, request, searchParams);
    const { headers } = request;
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

  async function knownCaller(request: Request, trace: Trace): Promise<Caller> {
    const caller = await callerOf(request, dispatcher, auth);
    trace.caller = caller;
    limit(JSON.stringify([caller.tenantId, caller.keyId]));
    return caller;
  }

  async function askedFor(
    route: Route,
    request: Request,
    params: URLSearchParams,
  ): Promise<Pick<Call, 'query' | 'body' | 'bodyText'>> {
    const query = route.query ? readQuery(route.query, params) : readNoQuery(params);
    const { text: bodyText, value } = await readBody(request, settings.maxBodyBytes);
    const body = route.body ? checked(route.body, value, 'body') : readNoBody(value);
    return { query, body, bodyText };
  }

  return markDirect(async (request: Request) => {
    const startedAt = performance.now();
    const preflight = cors.preflight(request);
    if (preflight) return preflight;
    const requestId = randomUUID();
    const headers = { 'x-request-id': requestId, ...cors.headers(request) };
    const trace: Trace = { route: null, caller: null };
    const answered = (status: number): Answered => ({
      requestId,
      method: request.method,
      route: trace.route?.path ?? null,
      status,
      durationMs: performance.now() - startedAt,
      caller: trace.caller && callerShown(trace.caller),
    });
    const failed = (error: unknown, status: number) => tell(() => onError(error, answered(status)));

    async function responseTo(): Promise<Response> {
      try {
        const answer = await answerTo(request, trace);
        return await responseOf(answer, request, headers, (error) => failed(error, answer.status));
      } catch (error) {
        const refusal = refusalOf(error, trace.route);
        if (!refusal) failed(error, 500);
        return responseOf(refusal ?? internal(requestId), request, headers, warn);
      }
    }
    const response = await responseTo();
    tell(() => onAnswer(answered(response.status)));
    return response;
  });
}

const nobody: Caller = { tenantId: '', scopes: [] };

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

function readNoQuery(params: URLSearchParams): undefined {
  const [name] = params.keys();
  if (name !== undefined)
    throw invalid([{ loc: ['query', name], msg: 'no such field', type: 'extra_forbidden' }]);
}

/** Clients that send a body with every POST send `{}` where there is nothing to say. */
function readNoBody(value: unknown): undefined {
  if (value === undefined || value === null) return;
  const names = typeof value === 'object' && !Array.isArray(value) ? Object.keys(value) : undefined;
  if (!names)
    throw invalid([
      { loc: ['body'], msg: `must be left out, not ${kindOf(value)}`, type: 'extra_forbidden' },
    ]);
  const [name] = names;
  if (name !== undefined)
    throw invalid([{ loc: ['body', name], msg: 'no such field', type: 'extra_forbidden' }]);
}

const noSuchPath = () => refuse(404, 'nothing is at this path');

function notAllowed({ routes }: Found) {
  const allow = [...routes.keys()].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  return refuse(405, `this path takes ${allow.join(', ')}`, {}, { allow: allow.join(', ') });
}

const internal = (requestId: string): Answer =>
  refuse(500, 'something failed on our side; give us the request_id', { request_id: requestId });

/** A listener is the application's, may be asynchronous, and may throw anything. */
function tell(listener: () => unknown): void {
  try {
    Promise.resolve(listener()).catch(warn);
  } catch (error) {
    warn(error);
  }
}

async function responseOf(
  answer: Answer,
  request: Request,
  headers: Readonly<Record<string, string>>,
  onBroken: (error: unknown) => void,
): Promise<Response> {
  const { status, body, pieces, text = body === undefined ? null : JSON.stringify(body) } = answer;
  const isHead = request.method === 'HEAD';
  const whole = pieces ? await streamOf(pieces, isHead, onBroken) : text;
  const sent = isHead ? null : whole;
  const response = new Response(isDirect(request) && typeof sent === 'string' ? null : sent, {
    status,
    headers: {
      ...(whole !== null && { 'content-type': 'application/json' }),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...headers,
      ...answer.headers,
    },
  });
  return typeof sent === 'string' ? knowBody(response, sent) : response;
}
