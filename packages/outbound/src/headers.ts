import { describeIssues, type Issue, kindOf, PosthornError } from '@posthorn/core';

/** Headers a tenant may not set, by name, and why. In lower case, with `-` for `_`. */
const deniedNames: ReadonlyMap<string, string> = new Map([
  // Framing: who sets these decides where a message ends, or whom it reaches (RFC 9110 §7.6.1, RFC 9112 §6).
  ['host', 'it is made from the URL'],
  ['content-length', 'it frames the message'],
  ['transfer-encoding', 'it frames the message'],
  ['trailer', 'it frames the message'],
  ['connection', 'it belongs to the connection'],
  ['keep-alive', 'it belongs to the connection'],
  ['te', 'it belongs to the connection'],
  ['upgrade', 'it belongs to the connection'],
  ['http2-settings', 'it belongs to the connection'],
  ['expect', 'it would hold the body back'],
  // What the channel says of the body it made, and of itself.
  ['content-type', 'the channel sets it'],
  ['content-encoding', 'the channel sets it'],
  ['user-agent', 'the channel sets it'],
  ['accept-encoding', 'answers are never decoded'],
  // Where a request comes from is not for a tenant to say.
  ['forwarded', 'it would forge the origin of the request'],
  ['via', 'it would forge the origin of the request'],
  ['x-real-ip', 'it would forge the origin of the request'],
  ['x-client-ip', 'it would forge the origin of the request'],
  ['true-client-ip', 'it would forge the origin of the request'],
  ['cf-connecting-ip', 'it would forge the origin of the request'],
  // Some servers route by these instead of by the path (Symfony CVE-2018-14773), past what guards the path.
  ['x-original-url', 'it would override the path of the request'],
  ['x-rewrite-url', 'it would override the path of the request'],
  // What metadata services of clouds ask for before they hand out credentials (GitLab CVE-2025-6454).
  ['metadata', 'cloud metadata services ask for it'],
  ['metadata-flavor', 'cloud metadata services ask for it'],
  ['x-metadata-token', 'cloud metadata services ask for it'],
  // `__proto__`, no ordinary key of an object; read with hyphens, as all names here.
  ['--proto--', 'it cannot be stored'],
]);

/** The same, by how the name begins. */
const deniedPrefixes: readonly (readonly [prefix: string, reason: string])[] = [
  ['proxy-', 'it speaks to proxies, not to receivers'],
  ['x-forwarded-', 'it would forge the origin of the request'],
  ['webhook-', 'the signature sets it'],
  ['ce-', 'CloudEvents sets it'],
  ['x-aws-ec2-metadata-', 'cloud metadata services ask for it'],
  ['x-google-', 'it speaks to the infrastructure of a cloud'],
  ['x-goog-', 'it speaks to the infrastructure of a cloud'],
  ['x-amz-', 'it speaks to the infrastructure of a cloud'],
  ['x-azure-', 'it speaks to the infrastructure of a cloud'],
  ['x-fd-', 'it speaks to the infrastructure of a cloud'],
];

/** What no one may set, the channel included: undici writes these itself, or must not see them. */
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

/** Printable ASCII and tab. Node sends other characters as Latin-1: not the bytes that were meant. */
const sendable = /^[\t\x20-\x7e]*$/;

/**
 * The headers a tenant wants sent, checked: at most 32, values of 4 KiB, 16 KiB together; names are tokens, values
 * are printable ASCII, and none is a header that frames the message, that the engine sets, or that could turn a
 * request against infrastructure. Spaces around values are dropped. Throws `invalid_header` with every issue; no
 * message quotes a value.
 */
export function checkHeaders(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    const message = `must be an object of strings, not ${kindOf(headers)}`;
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
  if (seen.size > maxCount) issues.push({ path: [], message: `must be at most ${maxCount}` });
  if (total > maxTotalLength) {
    issues.push({ path: [], message: `must have at most ${maxTotalLength} bytes together` });
  }
  if (issues.length > 0) {
    throw new PosthornError('invalid_header', `headers are not valid: ${describeIssues(issues)}`, { issues });
  }
  return checked;
}

function faultOfName(name: string, seen: ReadonlySet<string>): string | undefined {
  if (name.length > maxNameLength || !token.test(name)) {
    return `must be named by 1 to ${maxNameLength} letters, digits and any of !#$%&'*+-.^_\`|~`;
  }
  const lower = name.toLowerCase();
  if (seen.has(lower)) return 'must be given once; case does not count';
  // Gateways of the CGI family cannot tell `_` from `-`.
  const read = lower.replaceAll('_', '-');
  const reason = deniedNames.get(read) ?? deniedPrefixes.find(([prefix]) => read.startsWith(prefix))?.[1];
  return reason && `must not be set: ${reason}`;
}

function faultOfValue(value: unknown): string | undefined {
  if (typeof value !== 'string') return `must be a string, not ${kindOf(value)}`;
  if (!sendable.test(value)) return 'must hold printable ASCII characters only';
  return value.length > maxValueLength ? `must have at most ${maxValueLength} bytes` : undefined;
}

/** A header in one spelling of its name, found good before; most of them come with every request. */
interface Known {
  /** Its last good value. */
  value: string | undefined;
  readonly name: Name;
}

/** A name, whatever the case. */
interface Name {
  /** The last list that held it. */
  list: number;
}

const known = new Map<string, Known>();
const knownNames = new Map<string, Name>();
const maxKnown = 1_000;
/** Counts them. */
let lists = 0;

/**
 * Headers as undici takes them fastest, names and values in turn, held to what every request is held to, whoever made
 * them. Throws `invalid_header`.
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
    if (header.name.list === lists) throw unsendable(name, 'must be given once; case does not count');
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

/** `Headers` and maps have no fields of their own: their content would be lost. */
function listOf(headers: object): string[] {
  if (typeof headers !== 'object' || Symbol.iterator in headers) {
    const message = 'must be a plain object of strings, or an array of names and values in turn';
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
  // JSON keeps control characters of a bad name out of the message.
  return new PosthornError(
    'invalid_header',
    `header ${JSON.stringify(name.slice(0, maxNameLength))} ${message}`,
    { issues: [{ path: [name], message }] },
  );
}
