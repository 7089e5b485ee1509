import { isPosthornError, PosthornError } from '@posthorn/core';
import { describeType, parseOptions, redact, type Verdict } from '@posthorn/core/channel';
import type { OutboundAnswer } from './exchange.js';
import { failure } from './failure.js';
import { hostPattern } from './hosts.js';
import type { OutboundOptions } from './options.js';
import { type Outbound, outboundOf } from './outbound.js';
import { refusedUrl } from './url.js';
import { verdictOf } from './verdict.js';

/** Options shared by the channels that post JSON to a service. */
export interface JsonServiceOptions {
  /** The client to send with, or options for a new one. Default: a new client for `https:` and public addresses. */
  readonly outbound?: Outbound | OutboundOptions;
  /**
   * Hosts to allow besides the service's own, at any port, e.g. a proxy or a stand-in for tests. Same patterns as
   * `policy.allowHosts`. The client still checks the addresses that they resolve to. Default: none.
   */
  readonly hosts?: readonly string[];
}

/** A request of a {@link jsonService}: a JSON body for one URL. */
export interface JsonPost {
  /** The URL. Its path and query are treated as secrets: no verdict contains them. */
  readonly url: string;
  /** Builds the value to send as JSON. A PosthornError it throws, e.g. by a template, fails the attempt as `config`. */
  readonly body: () => unknown;
  /**
   * Serializes the body to JSON. `writeJson` of `@posthorn/template` keeps the exact numbers of an event. Default:
   * `JSON.stringify`.
   */
  readonly write?: (body: unknown) => string;
  /** Headers besides `content-type` and `user-agent`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Secrets to redact from the response, besides the URL. */
  readonly secrets?: readonly string[];
  readonly signal: AbortSignal;
}

/** A service with its own hosts that accepts JSON by POST, as chat services do. */
export interface JsonService {
  /** The client it posts with. */
  readonly outbound: Outbound;
  /**
   * Checks a URL when a webhook is saved. Its host must be one of the service's own (at the default port) or of
   * `options.hosts`, and the client must be allowed to reach it. A name that does not resolve yet is accepted. Rejects
   * as `Outbound.checkUrl` does.
   */
  checkUrl(url: string): Promise<void>;
  /**
   * Posts once, after another check of the URL. Resolves to the verdict of `read` about the response. Without a
   * response, or if nothing could be sent, resolves to `failed` with the failure's kind. `read` defaults to
   * {@link verdictOf}.
   */
  post(request: JsonPost, read?: ReadAnswer): Promise<Verdict>;
}

/**
 * Turns a response into a verdict. Secrets are redacted from its body. `fields` is the body parsed as a JSON object, or
 * empty if it is not one.
 */
export type ReadAnswer = (answer: OutboundAnswer, fields: Readonly<Record<string, unknown>>) => Verdict;

/** Headers of every request. */
const ownHeaders = { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'Posthorn' };

/**
 * Creates the service behind a channel. `hosts` are the service's own, as patterns like those of `policy.allowHosts`.
 * Errors name `factory`. Throws `invalid_option` for an unknown option or one of the wrong type.
 */
export function jsonService(
  factory: string,
  hosts: readonly string[],
  options: JsonServiceOptions,
): JsonService {
  const { outbound, isOwn, isAllowed } = settingsOf(factory, hosts, options);

  function checkHost(url: string): void {
    if (!URL.canParse(url)) return;
    const { hostname, port } = new URL(url);
    const host = hostname.replace(/^\[|\]$/g, '');
    if (isAllowed(host)) return;
    if (isOwn(host)) {
      // Port '' includes `http:` URLs, whose scheme the client refuses.
      if (port === '' || port === '443') return;
      throw refusedUrl('url_port', 'must be without a port: the service uses the default one');
    }
    const message = `must be a URL of ${hosts.join(' or ')}; the host application allows others with hosts`;
    throw refusedUrl('address_forbidden', message);
  }

  return {
    outbound,

    async checkUrl(url) {
      checkHost(url);
      try {
        await outbound.checkUrl(url);
      } catch (error) {
        // The name is resolved again at each connection.
        if (!isPosthornError(error) || error.code !== 'url_unresolvable') throw error;
      }
    },

    async post(request, read = (answer) => verdictOf(answer)) {
      const { url, body, write = JSON.stringify, headers, secrets = [], signal } = request;
      try {
        checkHost(url);
        const result = await outbound.request({
          url,
          headers: { ...headers, ...ownHeaders },
          body: write(body()),
          // The engine delivers at least once, so a repetition is allowed.
          idempotent: true,
          signal,
        });
        if (!result.ok) return verdictOf(result);
        const cleared = redact(result.body, [...secretsOf(url), ...secrets]);
        return read({ ...result, body: cleared }, fieldsOf(cleared));
      } catch (error) {
        // Nothing was sent. A stored URL may predate the current rules.
        if (!isPosthornError(error)) throw error;
        const kind = error.code === 'address_forbidden' ? 'address_forbidden' : 'config';
        return verdictOf(failure(kind, error.message));
      }
    },
  };
}

function fieldsOf(body: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(body)) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

/** Shorter parts of a URL are words and numbers, not keys. */
const minSecretPart = 16;

/** Returns the secrets in a URL: its path with its query, and each part of them that is long enough to be a key. */
function secretsOf(url: string): readonly string[] {
  const { pathname, search, searchParams } = new URL(url);
  const parts = [pathname + search, ...`${pathname}${search}`.split(/[/?&=]/), ...searchParams.values()];
  return parts.filter(({ length }) => length >= minSecretPart);
}

function settingsOf(factory: string, own: readonly string[], options: JsonServiceOptions) {
  const { outbound, hosts = [] } = parseOptions(options, ['outbound', 'hosts'], factory);
  if (!Array.isArray(hosts)) throw invalid(`hosts must be an array, not ${describeType(hosts)}`);
  const isIn = (names: readonly string[]) => {
    const patterns = names.map((name) => {
      const pattern = hostPattern(name);
      if (pattern) return pattern;
      throw invalid(
        'hosts must hold names like chat.example.com, addresses, or *.example.com for all names below',
      );
    });
    return (host: string) => patterns.some((matches) => matches(host));
  };
  return {
    outbound: outboundOf(outbound),
    isOwn: isIn(own),
    isAllowed: isIn(hosts),
  };
}

const invalid = (message: string): PosthornError => new PosthornError('invalid_option', message);
