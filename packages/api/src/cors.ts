import { PosthornError } from '@posthorn/core';

import type { Asked, Reply } from './exchange.js';

/** Which origins a browser may call the API from. */
export interface CorsOptions {
  /** The origins whose pages may call the API, like `https://app.example.com`. There is no wildcard. */
  readonly origins: readonly string[];
}

export interface CrossOrigin {
  /** The answer to a preflight request from a known origin; undefined for any other request. */
  preflight(asked: Asked): Reply | undefined;
  headers(asked: Asked): Readonly<Record<string, string>>;
}

/** Credentials are a header that scripts set, never a cookie, so no answer allows a browser to send its cookies. */
export function crossOrigin(options: CorsOptions | undefined): CrossOrigin {
  if (options === undefined) return { preflight: () => undefined, headers: () => ({}) };
  const { origins } = options ?? {};
  if (!Array.isArray(origins) || !origins.every(isOrigin)) {
    throw new PosthornError(
      'invalid_option',
      'cors.origins must be an array of origins, like https://app.example.com',
    );
  }
  const known = new Set<string>(origins);

  function headers(asked: Asked): Readonly<Record<string, string>> {
    const origin = asked.headers.get('origin');
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
    preflight(asked) {
      const isAsking = asked.method === 'OPTIONS' && asked.headers.has('access-control-request-method');
      if (!isAsking || !known.has(asked.headers.get('origin') ?? '')) return undefined;
      return {
        status: 204,
        content: null,
        headers: {
          ...headers(asked),
          'access-control-allow-methods': 'GET, POST, PUT, DELETE',
          'access-control-allow-headers': 'authorization, content-type, idempotency-key, if-match',
          'access-control-max-age': '600',
        },
      };
    },
  };
}

const isOrigin = (text: unknown): boolean =>
  typeof text === 'string' && URL.canParse(text) && new URL(text).origin === text;
