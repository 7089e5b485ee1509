import { type Issue, PosthornError } from '@posthorn/core';
import { describeIssues, describeType } from '@posthorn/core/channel';

/** Headers a tenant may not set, with the reason. Names are in lower case, with `-` in place of `_`. */
const deniedNames: ReadonlyMap<string, string> = new Map([
  // Framing: these decide where a message ends and which host it reaches (RFC 9110 §7.6.1, RFC 9112 §6).
  ['host', 'it is derived from the URL'],
  ['content-length', 'it frames the message'],
  ['transfer-encoding', 'it frames the message'],
  ['trailer', 'it frames the message'],
  ['connection', 'it belongs to the connection'],
  ['keep-alive', 'it belongs to the connection'],
  ['te', 'it belongs to the connection'],
  ['upgrade', 'it belongs to the connection'],
  ['http2-settings', 'it belongs to the connection'],
  ['expect', 'it would delay the body'],
  // Set by the channel, about its body and itself.
  ['content-type', 'the channel sets it'],
  ['content-encoding', 'the channel sets it'],
  ['user-agent', 'the channel sets it'],
  ['accept-encoding', 'responses are never decoded'],
  // Claims about the origin of a request.
  ['forwarded', 'it would forge the origin of the request'],
  ['via', 'it would forge the origin of the request'],
  ['x-real-ip', 'it would forge the origin of the request'],
  ['x-client-ip', 'it would forge the origin of the request'],
  ['true-client-ip', 'it would forge the origin of the request'],
  ['cf-connecting-ip', 'it would forge the origin of the request'],
  // Some servers route by these instead of the path, which bypasses checks of the path (Symfony CVE-2018-14773).
  ['x-original-url', 'it would override the path of the request'],
  ['x-rewrite-url', 'it would override the path of the request'],
  // Cloud metadata services require these before they return credentials (GitLab CVE-2025-6454).
  ['metadata', 'cloud metadata services require it'],
  ['metadata-flavor', 'cloud metadata services require it'],
  ['x-metadata-token', 'cloud metadata services require it'],
  // `__proto__`, which is not an ordinary key of an object; spelled with hyphens like all names here.
  ['--proto--', 'it cannot be stored'],
]);

/** Prefixes of header names a tenant may not set, with the reason. */
const deniedPrefixes: readonly (readonly [prefix: string, reason: string])[] = [
  ['proxy-', 'it addresses proxies, not receivers'],
  ['x-forwarded-', 'it would forge the origin of the request'],
  ['webhook-', 'the signature sets it'],
  ['ce-', 'CloudEvents sets it'],
  ['x-aws-ec2-metadata-', 'cloud metadata services require it'],
  ['x-google-', 'it addresses the infrastructure of a cloud'],
  ['x-goog-', 'it addresses the infrastructure of a cloud'],
  ['x-amz-', 'it addresses the infrastructure of a cloud'],
  ['x-azure-', 'it addresses the infrastructure of a cloud'],
  ['x-fd-', 'it addresses the infrastructure of a cloud'],
];

/** Headers that even a channel may not set: undici writes them itself, or must not receive them. */
const framing: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'upgrade',
  'http2-settings',
  'expect',
]);

const maxCount = 32;
const maxNameLength = 128;
const maxValueLength = 4096;
const maxTotalLength = 16 * 1024;

/** RFC 9110 §5.6.2. */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Printable ASCII and tab. Node would send other characters as Latin-1, which are not the intended bytes. */
const sendable = /^[\t\x20-\x7e]*$/;

/**
 * Validates the headers that a tenant wants to send, and returns them with surrounding spaces of values removed.
 * - At most 32 headers, 4 KiB per value, 16 KiB in total.
 * - Names are tokens, values are printable ASCII.
 * - No header that frames the message, that the engine sets, or that could be used against infrastructure.
 *
 * Throws `invalid_header` with every issue; no message quotes a value.
 */
export function checkHeaders(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    const message = `must be an object of strings, not ${describeType(headers)}`;
    throw new PosthornError('invalid_header', `headers ${message}`, { issues: [{ path: [], message }] });
  }
  const issues: Issue[] = [];
  const checked: Record<string, string> = {};
  const seen = new Set<string>();
  let total = 0;
  for (const [name, value] of Object.entries(headers)) {
    const fault = faultOfName(name, seen) ?? faultOfValue(value);
    if (fault) {
      issues.push({ path: [name], message: fault });
    } else {
      const trimmed = (value as string).replace(/^[ \t]+|[ \t]+$/g, '');
      total += name.length + trimmed.length;
      checked[name] = trimmed;
    }
    seen.add(name.toLowerCase());
  }
  if (seen.size > maxCount) issues.push({ path: [], message: `must have at most ${maxCount} entries` });
  if (total > maxTotalLength) {
    issues.push({ path: [], message: `must have at most ${maxTotalLength} bytes in total` });
  }
  if (issues.length > 0) {
    throw new PosthornError('invalid_header', `headers are not valid: ${describeIssues(issues)}`, { issues });
  }
  return checked;
}

function faultOfName(name: string, seen: ReadonlySet<string>): string | undefined {
  if (name.length > maxNameLength || !token.test(name)) {
    return `must have a name of 1 to ${maxNameLength} letters, digits and any of !#$%&'*+-.^_\`|~`;
  }
  const lower = name.toLowerCase();
  if (seen.has(lower)) return 'must be given once; names are case-insensitive';
  // CGI gateways do not distinguish `_` from `-`.
  const read = lower.replaceAll('_', '-');
  const reason = deniedNames.get(read) ?? deniedPrefixes.find(([prefix]) => read.startsWith(prefix))?.[1];
  return reason && `must not be set: ${reason}`;
}

function faultOfValue(value: unknown): string | undefined {
  if (typeof value !== 'string') return `must be a string, not ${describeType(value)}`;
  if (!sendable.test(value)) return 'must contain printable ASCII characters only';
  return value.length > maxValueLength ? `must have at most ${maxValueLength} bytes` : undefined;
}

/** A validated header, by one spelling of its name. A cache: most headers recur with every request. */
interface Known {
  /** The last valid value. */
  value: string | undefined;
  readonly name: Name;
}

/** A header name, regardless of case. */
interface Name {
  /** The number of the last list that contained it. */
  list: number;
}

const known = new Map<string, Known>();
const knownNames = new Map<string, Name>();
const maxKnown = 1_000;
/** The number of lists checked so far. */
let lists = 0;

/**
 * Validates the headers of any request, and returns them in the form that undici accepts fastest: alternating names and
 * values. Throws `invalid_header`.
 */
export function sendableHeaders(headers: Readonly<Record<string, string>> | readonly string[]): string[] {
  const list = isList(headers) ? [...headers] : listOf(headers);
  if (known.size > maxKnown) {
    known.clear();
    knownNames.clear();
  }
  lists++;
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]!;
    const value = list[i + 1];
    const header = known.get(name) ?? learn(name);
    if (header.name.list === lists) throw unsendable(name, 'must be given once; names are case-insensitive');
    header.name.list = lists;
    if (value === header.value && value !== undefined) continue;
    if (typeof value !== 'string' || !sendable.test(value)) {
      throw unsendable(name, 'must be a string of printable ASCII characters');
    }
    header.value = value;
  }
  return list;
}

const isList: (headers: object) => headers is readonly string[] = Array.isArray;

/** Refuses `Headers` and maps: they have no own fields, so their content would be lost. */
function listOf(headers: object): string[] {
  if (typeof headers !== 'object' || Symbol.iterator in headers) {
    const message = 'must be a plain object of strings, or an array of alternating names and values';
    throw new PosthornError('invalid_header', `headers ${message}`, { issues: [{ path: [], message }] });
  }
  return Object.entries(headers).flat();
}

function learn(name: string): Known {
  const lower = String(name).toLowerCase();
  if (typeof name !== 'string' || !token.test(name) || framing.has(lower)) {
    throw unsendable(String(name), 'must not be sent');
  }
  const sameName = knownNames.get(lower) ?? { list: 0 };
  knownNames.set(lower, sameName);
  const header = { value: undefined, name: sameName };
  known.set(name, header);
  return header;
}

function unsendable(name: string, message: string): PosthornError {
  // JSON escapes control characters of a bad name.
  return new PosthornError(
    'invalid_header',
    `header ${JSON.stringify(name.slice(0, maxNameLength))} ${message}`,
    { issues: [{ path: [name], message }] },
  );
}
