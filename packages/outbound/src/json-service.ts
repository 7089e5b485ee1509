import { isPosthornError, kindOf, optionsOf, PosthornError, redact, type Verdict } from '@posthorn/core';
import type { OutboundAnswer } from './exchange.js';
import { failure } from './failure.js';
import { hostPattern } from './hosts.js';
import type { OutboundOptions } from './options.js';
import { type Outbound, outboundOf } from './outbound.js';
import { refusedUrl } from './url.js';
import { verdictOf } from './verdict.js';

/** The options of a channel to a service. */
export interface JsonServiceOptions {
  /** The client to send with, or what to make one of. Default: one of its own, for `https:` and public addresses. */
  readonly outbound?: Outbound | OutboundOptions;
  /**
   * Hosts that may be posted to besides the service's own: a proxy for it, say, or a stand-in for tests. Written as in
   * `policy.allowHosts`, and at any port; where they lead is for the client to judge. Default: none.
   */
  readonly hosts?: readonly string[];
}

export interface JsonPost {
  /** An address whose path or query is a secret: neither comes back in a verdict. */
  readonly url: string;
  /** Makes what is sent as JSON. A PosthornError that it throws, of a template say, fails the attempt as `config`. */
  readonly body: () => unknown;
  /** Writes that as JSON. `writeJson` of `@posthorn/template` keeps the numbers of an event. Default `JSON.stringify`. */
  readonly write?: (body: unknown) => string;
  /** Besides `content-type` and `user-agent`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What an answer may not repeat, besides the address. */
  readonly secrets?: readonly string[];
  readonly signal: AbortSignal;
}

/** A service that has hosts of its own and takes JSON by POST, as chats do. */
export interface JsonService {
  /** The client it posts with. */
  readonly outbound: Outbound;
  /**
   * Judges an address when a webhook is saved: it must be one of the service's hosts, at the default port, or of
   * `options.hosts`, and one that the client may reach. A name that leads nowhere yet is let pass. Rejects as
   * `Outbound.checkUrl` does.
   */
  checkUrl(url: string): Promise<void>;
  /**
   * Posts once; the address is judged again. Resolves to what `read` makes of an answer; where there is none, or nothing
   * could be sent, to `failed`, by its kind. Default: {@link verdictOf}.
   */
  post(request: JsonPost, read?: ReadAnswer): Promise<Verdict>;
}

/** Says what an answer means. Its body is cleared of secrets; `fields` is what that says as a JSON object, or else empty. */
export type ReadAnswer = (answer: OutboundAnswer, fields: Readonly<Record<string, unknown>>) => Verdict;

/** What each request says of itself. */
const ownHeaders = { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'Posthorn' };

/**
 * The service behind a channel. `hosts` are its own, written as in `policy.allowHosts`; `factory` is named in errors.
 * Throws `invalid_option` for an option that there is not, or that is of the wrong kind.
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
      // Of `http:` it is the scheme that is wrong, which the client says.
      if (port === '' || port === '443') return;
      throw refusedUrl('url_port', 'must be without a port: the service has none but the default one');
    }
    const message = `must be an address of ${hosts.join(' or ')}; the host application allows others with hosts`;
    throw refusedUrl('address_forbidden', message);
  }

  return {
    outbound,

    async checkUrl(url) {
      checkHost(url);
      try {
        await outbound.checkUrl(url);
      } catch (error) {
        // Each connection asks again.
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
          // The engine would repeat it: at least once.
          idempotent: true,
          signal,
        });
        if (!result.ok) return verdictOf(result);
        const cleared = redact(result.body, [...secretsOf(url), ...secrets]);
        return read({ ...result, body: cleared }, fieldsOf(cleared));
      } catch (error) {
        // What is stored may be older than the rules: nothing was sent.
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

/** Shorter parts of an address are words and numbers. */
const minSecretPart = 16;

/** What of an address an answer may not repeat: its path with its query, and what in them is long enough to be a key. */
function secretsOf(url: string): readonly string[] {
  const { pathname, search, searchParams } = new URL(url);
  const parts = [pathname + search, ...`${pathname}${search}`.split(/[/?&=]/), ...searchParams.values()];
  return parts.filter(({ length }) => length >= minSecretPart);
}

function settingsOf(factory: string, own: readonly string[], options: JsonServiceOptions) {
  const { outbound, hosts = [] } = optionsOf(options, ['outbound', 'hosts'], factory);
  if (!Array.isArray(hosts)) throw invalid(`hosts must be an array, not ${kindOf(hosts)}`);
  const isIn = (names: readonly string[]) => {
    const patterns = names.map((name) => {
      const pattern = hostPattern(name);
      if (pattern) return pattern;
      throw invalid('hosts must hold names like chat.example.com, addresses, or *.example.com for all below');
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
