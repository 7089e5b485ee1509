import {
  type ApiKey,
  type ApiKeys,
  isPosthornError,
  type Scope,
  scopes,
  tenantIdSchema,
} from '@posthorn/core';
import type { Asked } from './exchange.js';
import { refuse } from './refusal.js';

/** Who calls, and what for. */
export interface Caller {
  /** Whose webhooks, events and deliveries these calls are about. */
  readonly tenantId: string;
  readonly scopes: readonly Scope[];
  /** The API key it calls with, where it does with one. */
  readonly keyId?: string;
  /** What that key is; left out where the application authenticates. */
  readonly apiKey?: ApiKey;
}

/**
 * The application's own authentication: who calls, or null where nobody may. It sees the request before its body is read,
 * and must leave that alone.
 */
export type Authenticate = (request: Request) => Caller | null | Promise<Caller | null>;

const known: ReadonlySet<unknown> = new Set(scopes);

/** Who calls. Refuses (401) where the credentials are missing, malformed, unknown, revoked or expired: all alike. */
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
  if (request.bodyUsed) throw new TypeError('auth must leave the body of the request alone');
  // A caller without a tenant would be one who sees everything, or whatever a storage makes of undefined.
  const isCaller = tenantIdSchema.safeParse(caller?.tenantId).success && areScopes(caller?.scopes);
  if (caller !== null && !isCaller) throw new TypeError('auth must resolve to { tenantId, scopes } or null');
  return caller;
}

/** What `auth` fails with is the application's: also where the engine has said it, of something else than this call. */
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
