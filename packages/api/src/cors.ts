import { PosthornError } from '@posthorn/core';

export interface CorsOptions {
  /** The origins whose pages may call, like `https://app.example.com`. There is no way to say "all". */
  readonly origins: readonly string[];
}

export interface CrossOrigin {
  /** The answer to a browser that asks before it calls; undefined for what is no such question of a known origin. */
  preflight(request: Request): Response | undefined;
  headers(request: Request): Readonly<Record<string, string>>;
}

/** Credentials are a header that scripts set, never a cookie: no answer allows a browser to send its own. */
export function crossOrigin(options: CorsOptions | undefined): CrossOrigin {
  if (options === undefined) return { preflight: () => undefined, headers: () => ({}) };
  const { origins } = options ?? {};
  if (!Array.isArray(origins) || !origins.every(isOrigin)) {
    throw new PosthornError('invalid_option', 'cors.origins must be origins, like https://app.example.com');
  }
  const known = new Set<string>(origins);

  function headers(request: Request): Readonly<Record<string, string>> {
    const origin = request.headers.get('origin');
    return origin !== null && known.has(origin)
      ? {
          'access-control-allow-origin': origin,
          'access-control-expose-headers': 'etag, retry-after, x-request-id',
          vary: 'origin',
        }
      : { vary: 'origin' };
  }

  return {
    headers,
    preflight(request) {
      const isAsking = request.method === 'OPTIONS' && request.headers.has('access-control-request-method');
      if (!isAsking || !known.has(request.headers.get('origin') ?? '')) return undefined;
      return new Response(null, {
        status: 204,
        headers: {
          ...headers(request),
          'access-control-allow-methods': 'GET, POST, PUT, DELETE',
          'access-control-allow-headers': 'authorization, content-type, idempotency-key, if-match',
          'access-control-max-age': '600',
        },
      });
    },
  };
}

const isOrigin = (text: unknown): boolean =>
  typeof text === 'string' && URL.canParse(text) && new URL(text).origin === text;
