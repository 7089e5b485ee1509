import { type ApiKey, type ApiKeys, isPosthornError, type Scope, scopes } from '@posthorn/core';
import { tenantIdSchema } from '@posthorn/core/schemas';
import type { Asked } from './exchange.js';
import { refuse } from './refusal.js';

/** The caller of a request, and what it may do. */
export interface Caller {
  /** The tenant whose webhooks, events and deliveries the calls read and change. */
  readonly tenantId: string;
  readonly scopes: readonly Scope[];
  /** The id of the caller's API key. Left out where the application authenticates without one. */
  readonly keyId?: string;
  /** That API key. Left out where the application authenticates. */
  readonly apiKey?: ApiKey;
}

/**
 * The application's own authentication. Resolves to the caller, or to null to refuse the request with 401. It gets the
 * request before its body is read, and must not read the body.
 */
export type Authenticate = (request: Request) => Caller | null | Promise<Caller | null>;

const known: ReadonlySet<unknown> = new Set(scopes);

/**
 * Resolves to the caller. Refuses credentials that are missing, malformed, unknown, revoked or expired, all with the
 * same 401.
 */
export async function callerOf(
  asked: Asked,
  apiKeys: ApiKeys,
  auth: Authenticate | undefined,
): Promise<Caller> {
  const caller = auth ? await byApplication(asked, auth) : await byApiKey(asked, apiKeys);
  if (caller === null) {
    const headers = { 'www-authenticate': 'Bearer' };
    throw refuse(
      401,
      'credentials are missing or not valid: send Authorization: Bearer <API key>',
      {},
      headers,
    );
  }
  return caller;
}

const areScopes = (given: unknown): boolean =>
  Array.isArray(given) && given.every((scope) => known.has(scope));

async function byApplication(asked: Asked, auth: Authenticate): Promise<Caller | null> {
  const request = asked.request();
  const caller = await callerBy(auth, request);
  if (request.bodyUsed) throw new TypeError('auth must not read the body of the request');
  // Without a tenant, a storage could return everything, or whatever it makes of undefined.
  const isCaller = tenantIdSchema.safeParse(caller?.tenantId).success && areScopes(caller?.scopes);
  if (caller !== null && !isCaller) throw new TypeError('auth must resolve to { tenantId, scopes } or null');
  return caller;
}

/** An error from `auth` is the application's own failure, even a PosthornError: that one is not about this request. */
async function callerBy(auth: Authenticate, request: Request): Promise<Caller | null> {
  try {
    return await auth(request);
  } catch (cause) {
    throw isPosthornError(cause) ? new Error('auth failed', { cause }) : cause;
  }
}

async function byApiKey({ headers }: Asked, apiKeys: ApiKeys): Promise<Caller | null> {
  const [, key] = /^bearer ([!-~]{1,200})$/i.exec(headers.get('authorization') ?? '') ?? [];
  if (key === undefined) return null;
  const apiKey = await apiKeys.verify(key);
  return apiKey ? { tenantId: apiKey.tenantId, scopes: apiKey.scopes, keyId: apiKey.id, apiKey } : null;
}
