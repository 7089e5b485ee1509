import { validateHeaderName, validateHeaderValue } from 'node:http';
import { isIP, type LookupFunction } from 'node:net';
import { type HttpConfigs, httpChannel } from '@posthorn/channel-http';
import { createDispatcher, isPosthornError, matches } from '@posthorn/core';
import { domainInAscii, type Message, parseSecret, redact, Secret } from '@posthorn/core/channel';
import { toMs } from '@posthorn/core/schemas';
import {
  createIds,
  deliveryId,
  matchKeys,
  parseDeliveryId,
  parseEventType,
  parsePattern,
} from '@posthorn/core/storage';
import {
  checkHeaders,
  checkUrl,
  createOutbound,
  type Outbound,
  type OutboundPolicy,
  type OutboundRequest,
} from '@posthorn/outbound';
import { memoryStorage } from '@posthorn/storage-memory';
import { contextOf, parseJsonText, parseTemplate } from '@posthorn/template';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';

/*
 * For every input, a parser returns or throws a PosthornError within 20 ms, and agrees with a reference implementation
 * if there is one. `npm test` runs each parser for a second, `npm run fuzz` for POSTHORN_FUZZ_SECONDS, by default a
 * minute. A failure prints the seed and the path that reproduce it.
 */

const seconds = Number(process.env.POSTHORN_FUZZ_SECONDS ?? 1);
const maxMs = 20;

/** Calls `rule` with as many inputs as the time allows. */
function fuzz<T>(title: string, inputs: fc.Arbitrary<T>, rule: (input: T) => unknown): void {
  test(title, { timeout: (seconds + 30) * 1_000 }, () =>
    fc.assert(
      fc.asyncProperty(inputs, async (input) => void (await rule(input))),
      {
        numRuns: Number.MAX_SAFE_INTEGER,
        interruptAfterTimeLimit: seconds * 1_000,
        markInterruptAsFailure: false,
      },
    ),
  );
}

/**
 * The result of `parse`; undefined if it refuses its input. An input counts as slow if it is slow five times, both by
 * the clock and by CPU time: other processes may use the cores, and the first call compiles code.
 */
async function parsed<T>(parse: () => T | Promise<T>): Promise<T | undefined> {
  let value: T | undefined;
  let fastest = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 5 && fastest > maxMs; tries++) {
    const begin = performance.now();
    const cpu = process.cpuUsage();
    try {
      value = await parse();
    } catch (error) {
      if (!isPosthornError(error)) throw error;
      value = undefined;
    }
    const { user, system } = process.cpuUsage(cpu);
    fastest = Math.min(fastest, performance.now() - begin, (user + system) / 1_000);
  }
  expect(fastest).toBeLessThanOrEqual(maxMs);
  return value;
}

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ maxLength: 5_000 }),
  fc
    .constantFrom('a', '.', '*', '%', ' ', '\r\n', '\0', '((')
    .chain((part) => fc.nat(50_000).map((n) => part.repeat(n))),
);
const anything = fc.oneof({ weight: 4, arbitrary: text }, fc.anything());

const address = fc.oneof(
  fc.ipV4(),
  fc.ipV4Extended(),
  fc.ipV6().map((ip) => `[${ip}]`),
  fc.ipV4().map((ip) => `[::ffff:${ip}]`),
  fc
    .tuple(fc.constantFrom('2000', '2001', '2002', '2a00', '3fff', '64:ff9b', 'fe80', 'fc00'), fc.nat(0xffff))
    .map(([head, tail]) => `[${head}::${tail.toString(16)}]`),
);
const host = fc.oneof(
  address,
  fc.domain(),
  fc.constantFrom('localhost', 'a.localhost', 'printer.local', 'metadata.google.internal', 'x', 'xn--0'),
  fc
    .tuple(fc.domain(), fc.constantFrom('.', '。', '%2e', '@evil.example', '\\', ':0', ':25', ':8443'))
    .map((parts) => parts.join('')),
  text,
);
const url = fc.oneof(
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
  fc
    .tuple(
      fc.constantFrom('https://', 'HTTPS://', 'https:', 'https:/', 'http://', 'ftp://', '//', ''),
      host,
      fc.constantFrom('', '/', '/a?b#c', '\t/'),
    )
    .map((parts) => parts.join('')),
  text,
);

const answeringWith =
  (address: string): LookupFunction =>
  (_host, _options, callback) =>
    callback(null, [{ address, family: 4 }]);
const publicAddress = '93.184.215.14';
const lookup = answeringWith(publicAddress);

fuzz(
  'an address is accepted only if the URL standard and a second address library agree',
  url,
  async (input) => {
    const addresses = await parsed(() => checkUrl(input, { lookup }));
    if (!addresses) return;
    const { protocol, username, password, hostname } = new URL(input);
    expect([protocol, username, password]).toEqual(['https:', '', '']);
    expect(hostname).not.toMatch(/(^|\.)localhost\.?$|\.(local|internal|onion)$/);
    const literal = hostname.replace(/^\[|\]$/g, '');
    expect(addresses).toEqual([ipaddr.isValid(literal) ? literal : publicAddress]);
    expect(ipaddr.parse(addresses[0]!).range()).toBe('unicast');
  },
);

const range = fc.oneof(
  fc
    .tuple(
      fc.oneof(fc.ipV4(), fc.ipV6()),
      fc.constantFrom('/', '/0', '//', ' /', '%eth0/'),
      fc.integer({ min: -1, max: 130 }),
    )
    .map((parts) => parts.join('')),
  // No bit is set after the prefix.
  fc
    .tuple(fc.nat(255), fc.integer({ min: 0, max: 8 }))
    .map(([n, bits]) => `${(n >> (8 - bits)) << (8 - bits)}.0.0.0/${bits}`),
  fc.tuple(fc.nat(0xffff), fc.integer({ min: 0, max: 16 })).map(([n, bits]) => {
    const group = (n >> (16 - bits)) << (16 - bits);
    return `${group.toString(16)}::/${bits}`;
  }),
  fc.ipV4(),
  fc.ipV6(),
  anything,
);

const policy = fc.record(
  {
    allowHttp: fc.oneof(fc.boolean(), anything),
    allowHosts: fc.oneof(fc.array(host), anything),
    denyHosts: fc.oneof(fc.array(anything), anything),
    allowCidrs: fc.oneof(fc.array(range), anything),
    denyCidrs: fc.oneof(fc.array(range), anything),
    ports: fc.oneof(fc.array(fc.oneof(fc.integer(), anything)), anything),
    proxy: fc.oneof(url, anything),
    lookup: anything,
  },
  { requiredKeys: [] },
);

fuzz('a policy is accepted or refused, whatever it contains', policy, async (input) => {
  await parsed(() => createOutbound({ policy: input as OutboundPolicy }).close());
});

const isAllowed = async (address: string, allowing: OutboundPolicy): Promise<boolean> =>
  (await parsed(() => checkUrl(`https://${address}/`, { policy: { ...allowing, lookup } }))) !== undefined;

fuzz(
  'a range contains the same addresses as in a second address library',
  fc.tuple(range, fc.oneof(fc.ipV4(), fc.ipV6())),
  async ([cidr, other]) => {
    const denying = { denyCidrs: [cidr as string] };
    if (
      (await parsed(() =>
        createOutbound({ policy: denying })
          .close()
          .then(() => true),
      )) === undefined
    )
      return;
    const [address, bits = ipaddr.parse(address!).kind() === 'ipv4' ? 32 : 128] = (cidr as string).split('/');
    for (const candidate of [address!, other]) {
      const read = ipaddr.parse(candidate);
      const holds =
        read.kind() === ipaddr.parse(address!).kind() && read.match(ipaddr.parse(address!), Number(bits));
      const literal = read.kind() === 'ipv6' ? `[${candidate}]` : candidate;
      if (holds) expect(await isAllowed(literal, denying)).toBe(false);
      const allowing = { allowCidrs: [cidr as string] };
      expect(await isAllowed(literal, allowing)).toBe(holds || (await isAllowed(literal, {})));
    }
  },
);

fuzz(
  'a host pattern allows the host that the URL standard reads from it, or its subdomains',
  fc.tuple(fc.constantFrom('', '*.', '*', '.', '*.*.'), host, fc.oneof(host, fc.constantFrom('a', 'a.b'))),
  async ([wild, name, other]) => {
    const pattern = `${wild}${name}`;
    const allowing = { allowHosts: [pattern] };
    if (
      (await parsed(() =>
        createOutbound({ policy: allowing })
          .close()
          .then(() => true),
      )) === undefined
    )
      return;
    if (isIP(pattern)) return;
    const isBelow = pattern.startsWith('*.');
    const own = new URL(`https://${isBelow ? pattern.slice(2) : pattern}/`).hostname;
    for (const candidate of [name, `${other}.${name}`, `${other}${name}`, other]) {
      // A name that is too long is invalid. Node 26 reports some of them as parseable, and then throws.
      if (candidate.length > 2_000 || !URL.canParse(`https://${candidate}/`)) continue;
      const { hostname } = new URL(`https://${candidate}/`);
      // An address is not a name, either.
      if (/^[\d.]+$|^\[/.test(hostname) || hostname.length > 2_000) continue;
      // Newer versions of Node accept an invalid xn-- label, such as `xn--0`; we never do.
      if (domainInAscii(hostname) === undefined) continue;
      const bare = hostname.replace(/\.$/, '');
      const matches = isBelow ? bare.endsWith(`.${own}`) : bare === own;
      const isPrivate = answeringWith('10.0.0.1');
      const taken = await parsed(() =>
        checkUrl(`https://${hostname}/`, { policy: allowing, lookup: isPrivate }),
      );
      expect(taken !== undefined).toBe(matches);
    }
  },
);

const headerName = fc.oneof(
  text,
  fc.stringMatching(/^[A-Za-z0-9-]{1,20}$/),
  fc.constantFrom('Host', 'content_length', '__proto__', 'constructor', 'X-A', 'x-a', 'Webhook-Id'),
);

fuzz(
  'headers are accepted only if Node would send them unchanged',
  fc.oneof(
    fc
      .array(fc.tuple(headerName, fc.oneof(text, fc.anything())), { maxLength: 40 })
      .map((pairs) => Object.fromEntries(pairs)),
    anything,
  ),
  async (input) => {
    const headers = await parsed(() => checkHeaders(input as Record<string, unknown>));
    for (const [name, value] of Object.entries(headers ?? {})) {
      validateHeaderName(name);
      validateHeaderValue(name, value);
      expect(name).not.toMatch(/^(host|content.length|transfer.encoding|connection|webhook.*|__proto__)$/i);
      expect(value).toMatch(/^[\t\x20-\x7e]*$/);
    }
    expect(Object.prototype).not.toHaveProperty('x-a');
  },
);

const grammar = fc.oneof(
  fc
    .array(fc.constantFrom('a', 'b', 'order', '*', '**', '', 'A_-'), { maxLength: 8 })
    .map((segments) => segments.join('.')),
  anything,
);
const segment = '[A-Za-z0-9_-]+';

fuzz(
  'an event type is valid exactly when the grammar, as a regular expression, matches it',
  grammar,
  async (input) => {
    const isOne =
      typeof input === 'string' &&
      input.length <= 128 &&
      new RegExp(`^${segment}(\\.${segment}){0,5}$`).test(input);
    expect((await parsed(() => parseEventType(input))) !== undefined).toBe(isOne);
  },
);

fuzz(
  'a pattern matches the types that its regular expression matches, and that have it among their keys',
  fc.tuple(grammar, fc.array(fc.constantFrom('a', 'b', 'order', 'A_-'), { minLength: 1, maxLength: 6 })),
  async ([input, segments]) => {
    const pattern = await parsed(() => parsePattern(input));
    if (pattern === undefined) return;
    const type = segments.join('.');
    const expression = pattern
      .replace(/\*$/, '.+')
      .split('.')
      .map((part) => (part === '*' ? segment : part))
      .join('\\.')
      .replace('\\.+', '.+');
    const expected = new RegExp(`^${expression}$`).test(type);
    expect(await parsed(() => matches(pattern, type))).toBe(expected);
    expect(matchKeys(type).includes(pattern)).toBe(expected);
  },
);

const ids = createIds();

fuzz(
  'a delivery id is parsed into its parts, and nothing else is parsed as one',
  fc.oneof(
    fc.integer().map(() => deliveryId(ids.event(), ids.binding())),
    anything,
  ),
  async (input) => {
    const read = await parsed(() => parseDeliveryId(input as string));
    if (read) expect(deliveryId(read.eventId, read.bindingId)).toBe(input);
  },
);

fuzz(
  'a duration is parsed to milliseconds, or refused',
  fc.oneof(
    fc.tuple(fc.double(), fc.constantFrom('ms', 's', 'm', 'h', 'd', '')).map((parts) => parts.join('')),
    anything,
  ),
  async (input) => {
    const ms = await parsed(() => toMs(input as never, 'option'));
    if (ms !== undefined) expect(Number.isFinite(ms) && ms >= 0).toBe(true);
  },
);

/** A channel whose HTTP client returns a given answer and records the requests. */
function channelAnswering(retryAfter: string | string[] | undefined) {
  const requests: OutboundRequest[] = [];
  const outbound: Outbound = {
    checkUrl: async () => [],
    async request(request) {
      requests.push(request);
      const headers = { 'retry-after': retryAfter };
      return { ok: true, status: 429, headers, body: '', bodyTruncated: false, bodyComplete: true };
    },
    close: async () => {},
  };
  return { channel: httpChannel({ outbound }), requests };
}

const message = (payload: string, secrets: readonly string[]): Message<HttpConfigs> => ({
  deliveryId: deliveryId(ids.event(), ids.binding()),
  attempt: 1,
  attemptsBeforeRetry: 0,
  startedAt: new Date(),
  event: {
    id: ids.event(),
    tenantId: 'default',
    type: 'order.created',
    payload,
    occurredAt: new Date(),
    namespaceId: null,
    subject: null,
    cacheScope: null,
    orderingKey: null,
  },
  payload: undefined,
  webhook: { id: ids.webhook(), tenantId: 'default', name: 'orders' },
  configs: { url: 'https://example.com' },
  secrets: secrets.map((secret) => new Secret(secret)),
});
const { signal } = new AbortController();
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

const retryAfter = fc.oneof(
  text,
  fc.double().map(String),
  fc.nat().map(String),
  fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
  fc.array(text, { maxLength: 3 }),
);

fuzz('Retry-After is seconds or a date as Node reads it, or it is ignored', retryAfter, async (input) => {
  const { channel } = channelAnswering(input);
  const sent = message('{}', [secret]);
  const verdict = await parsed(async () => channel.send(sent, signal));
  expect(verdict).toMatchObject({ outcome: 'failed', kind: 'http_status' });
  const { retryAfterMs } = verdict as { retryAfterMs?: number };
  if (retryAfterMs === undefined) return;
  expect(Number.isFinite(retryAfterMs) && retryAfterMs >= 0).toBe(true);
  const [value] = [input].flat();
  if (/^[\d.]+$/.test(value!)) expect(retryAfterMs).toBe(Math.round(Number(value) * 1_000));
  else expect(Math.abs(Math.max(Date.parse(value!) - Date.now(), 0) - retryAfterMs)).toBeLessThan(5_000);
});

fuzz('the reference library verifies every signature', fc.json(), async (payload) => {
  const { channel, requests } = channelAnswering(undefined);
  await parsed(async () => channel.send(message(payload, [secret]), signal));
  const [{ headers, body }] = requests as [OutboundRequest & { headers: string[] }];
  const named = Object.fromEntries(headers.flatMap((name, i) => (i % 2 ? [] : [[name, headers[i + 1]!]])));
  expect(() => new Webhook(secret).verify(Buffer.from(body!).toString(), named)).not.toThrow();
});

const base64 = fc
  .tuple(fc.uint8Array({ maxLength: 80 }), fc.constantFrom('base64', 'base64url'), fc.boolean())
  .map(([bytes, alphabet, isPadded]) => {
    const text = Buffer.from(bytes).toString(alphabet as BufferEncoding);
    return isPadded ? text.padEnd(Math.ceil(text.length / 4) * 4, '=') : text.replaceAll('=', '');
  });

fuzz(
  'a secret is accepted if it is 24 to 64 bytes of complete base64, and then the reference library signs with it',
  fc.oneof(
    fc.tuple(fc.constantFrom('whsec_', 'whsk_', 'whpk_', ''), base64).map((parts) => parts.join('')),
    anything,
  ),
  async (input) => {
    const read = await parsed(() => parseSecret(input));
    if (read?.kind !== 'v1') return;
    expect(read.bytes.length).toBeGreaterThanOrEqual(24);
    expect(read.bytes.length).toBeLessThanOrEqual(64);
    expect(`whsec_${read.bytes.toString('base64')}`).toBe(read.text);
    const digits = (text: string): string =>
      text.replaceAll('-', '+').replaceAll('_', '/').replaceAll('=', '').slice('whsec/'.length);
    expect(digits(read.text)).toBe(digits(input as string));
    expect(new Webhook(read.text).sign('msg_1', new Date(), 'x')).toMatch(/^v1,/);
  },
);

const liquid = fc.oneof(
  fc
    .array(
      fc.oneof(
        fc.constantFrom(
          '{{',
          '}}',
          '{%',
          '%}',
          '{{-',
          '-%}',
          '{event_type}',
          '{metadata.',
          '}',
          '"',
          "'",
          '|',
          ':',
          ',',
        ),
        fc.constantFrom(
          ' metadata',
          '.a',
          '[',
          ']',
          '(1..',
          ')',
          ' json',
          ' append',
          ' date',
          ' if ',
          ' for i in ',
          ' raw ',
        ),
        fc.constantFrom(
          '{% if a %}',
          '{% endif %}',
          '{% for i in metadata %}',
          '{% endfor %}',
          '{% liquid\n',
          '{% echo ',
        ),
        fc.string({ maxLength: 5 }),
      ),
      { maxLength: 40 },
    )
    .map((parts) => parts.join('')),
  fc
    .constantFrom(
      '{{',
      '{%',
      '{event_type',
      '{{ "',
      '{{ a[',
      '{{ (',
      '{% if a %}',
      '{% raw %}{% ',
      '\n',
      '\\"',
    )
    .chain((part) => fc.nat(20_000).map((n) => part.repeat(n))),
  text,
);

fuzz(
  'a template is parsed, or refused with its line, and shows a value only in its place',
  fc.tuple(liquid, fc.jsonValue()),
  async ([source, payload]) => {
    const sent = message(JSON.stringify(payload), []);
    const context = contextOf({ ...sent, payload });
    const template = await parsed(() => parseTemplate(source, 'mrkdwn'));
    // The end of the source must not begin a link, because a value in a link is escaped as an address.
    const escaped = `${source}{% raw %}>{% endraw %}${'{{ metadata | json }}'}`;
    const shown = template && (await parsed(() => parseTemplate(escaped, 'mrkdwn')));
    if (shown) {
      const value = JSON.stringify(payload)
        .replace(/&/g, '&amp;')
        .replace(/</g, '&lt;')
        .replace(/>/g, '&gt;');
      // Markup characters in a value are wrapped in a mark, or replaced by look-alikes.
      const read = (text: string): string =>
        text
          .replace(/<!date\^0{8}\^\{_\}\|(.+?)>/g, '$1')
          .replace(/[∗ˍ∼ˋ]/g, (lookalike) => '*_~`'['∗ˍ∼ˋ'.indexOf(lookalike)]!);
      expect(read(rendered(() => shown.render(context)) ?? value)).toContain(read(value));
    }
    const json = await parsed(() => parseJsonText(source));
    if (json) expect(() => JSON.stringify(rendered(() => json.render(context)))).not.toThrow();
  },
);

/** The rendered template; undefined if rendering fails with `invalid_template`. */
function rendered<T>(render: () => T): T | undefined {
  try {
    return render();
  } catch (error) {
    expect(error).toMatchObject({
      code: 'invalid_template',
      message: expect.stringMatching(/line \d+, column \d+: |^the rendered text is not JSON: /),
    });
    return undefined;
  }
}

const keys = [{ id: 'one', key: Buffer.alloc(32, 1) }];
const stored = memoryStorage();
const { webhooks: saved } = createDispatcher({
  storage: stored,
  channels: [channelAnswering(undefined).channel],
  encryption: { keys },
});
const channels = [{ channel: 'webhook', configs: { url: 'https://example.com' } }] as const;
const { id: webhookId } = await saved.create({ name: 'sealed', eventTypes: ['*'], channels, secret });

fuzz(
  'a stored secret is read if it was encrypted here or never encrypted, and is otherwise unreadable',
  fc.oneof(
    fc.tuple(fc.nat(200), fc.nat(127)).map(
      ([at, code]) =>
        (sealed: string) =>
          `${sealed.slice(0, at % sealed.length)}${String.fromCharCode(code)}${sealed.slice((at % sealed.length) + 1)}`,
    ),
    fc.nat(200).map((at) => (sealed: string) => sealed.slice(0, at)),
    text.map((end) => () => `enc:v1:one:${end}`),
    fc.tuple(text, fc.base64String()).map(
      ([id, end]) =>
        () =>
          `enc:v1:${id}:${end}`,
    ),
    text.map((clear) => () => clear),
  ),
  async (change) => {
    const record = await stored.webhooks.get('default', webhookId);
    const [sealed] = record!.secrets;
    const key = change(sealed!.key);
    const get = async () => ({ ...record!, secrets: [{ ...sealed!, key }] });
    const storage = { ...stored, webhooks: { ...stored.webhooks, get } };
    const { webhooks } = createDispatcher({ storage, channels: [], encryption: { keys } });
    const opened = await parsed(() => webhooks.revealSecret(webhookId));
    if (key.startsWith('enc:v1:')) expect([undefined, secret]).toContain(opened);
    else expect(opened).toBe(key);
  },
);

/** Repetitive text of few letters, which is hard to search. */
const alike = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 40 }),
  fc.string({ unit: fc.constantFrom('a', '"', '/', '\\', '%41', '&amp;', 'u0061'), maxLength: 40 }),
  fc
    .tuple(fc.constantFrom('a', 'ab', 'aab', 'a/', '\\'), fc.nat(4_096), fc.constantFrom('', 'b', '/'))
    .map(([part, n, end]) => part.repeat(n / part.length) + end),
);

/** The positions in `text` that belong to a secret, or to the beginning of one at the end, found by brute force. */
function secretPlaces(text: string, secrets: readonly string[]): boolean[] {
  const places = Array<boolean>(text.length).fill(false);
  for (const one of secrets.filter(({ length }) => length >= 8)) {
    for (let at = text.indexOf(one); at >= 0; at = text.indexOf(one, at + 1))
      places.fill(true, at, at + one.length);
    let length = Math.min(one.length, text.length);
    while (length >= 8 && !text.endsWith(one.slice(0, length))) length--;
    if (length >= 8) places.fill(true, text.length - length);
  }
  return places;
}

fuzz(
  'redaction removes only the secrets from an answer, plain or in JSON, and does so quickly',
  fc.tuple(fc.array(fc.oneof(alike, text), { maxLength: 8 }), fc.array(alike, { maxLength: 30 })),
  async ([parts, secrets]) => {
    const answer = parts.join('').slice(0, 16 * 1024);
    const redacted = await parsed(() => redact(answer, secrets));
    if (!/[\\%&]/.test(answer + secrets.join('')) && answer.length <= 1_000 && answer.length >= 8) {
      const places = secretPlaces(answer, secrets);
      expect(redacted!.replaceAll('***', '')).toBe(
        [...places.keys()]
          .map((at) => (places[at] ? '' : answer[at]))
          .join('')
          .replaceAll('***', ''),
      );
    }
    const echoed = await parsed(() => redact(`x${JSON.stringify({ secrets })}`.slice(0, 16 * 1024), secrets));
    for (const one of secrets.filter(({ length }) => length >= 8)) {
      expect(echoed).not.toContain(JSON.stringify(one).slice(1, -1));
    }
  },
);
