import type { WebhookEvent } from '@posthorn/core';
import type { Message } from '@posthorn/core/channel';
import { expect, test } from 'vitest';
import type { EmailConfigs } from '../src/index.js';
import { event, message, setup, withPayload } from './message.js';

/** Sends a mail by SMTP and returns it as parsed by mailparser. */
async function arrived(configs: Partial<EmailConfigs>, of: Partial<Message<EmailConfigs>> = {}) {
  const { server, send } = await setup();
  expect(await send(message(configs, of))).toMatchObject({ outcome: 'delivered' });
  const [received] = server.messages;
  const { subject, html, text, headers, to, cc } = received!.mail;
  return { subject, html: html || '', text: text ?? '', headers, to, cc, source: received!.source };
}

const evilText = '<img src=x onerror=alert(1)> & "quoted"';

test('the default mail shows type, subject, time, payload and webhook, in HTML and plain text', async () => {
  const { subject, html, text } = await arrived({});
  expect(subject).toBe('order.created: order o1');
  for (const shown of [
    'order.created',
    'order o1',
    '2026-11-23 10:00:00 UTC',
    'orderId',
    'total',
    'Orders',
  ]) {
    expect(html).toContain(shown);
    expect(text).toContain(shown);
  }
  expect(html).toContain('<meta name="color-scheme" content="light dark">');
  expect(html).toContain('@media (prefers-color-scheme: dark)');
});

test('the default mail cuts long content and says how much is left out', async () => {
  const payload = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`field${i}`, '😀'.repeat(400)]));
  const { html, text } = await arrived({}, { event: withPayload({ ...payload, field0: payload }) });
  expect(text).toContain('10 more');
  expect(text).toMatch(/^field0: \{.{1,200}…$/mu);
  expect(text).toMatch(/😀…$/m);
  expect(Buffer.byteLength(html)).toBeLessThan(100_000);
});

test.each([
  ['a bare text'],
  [null],
  [[]],
  [42],
  [{ nested: { deep: [1, { a: null }] } }],
  [{ __proto__x: 1, '': '' }],
])('the default mail accepts a payload of any type: %j', async (payload) => {
  const { text } = await arrived({}, { event: withPayload(payload) });
  expect(text).toContain('order.created');
});

test('T11: a line break in a subject becomes a space and adds no header', async () => {
  const sent = withPayload({ title: 'Hi\r\nBcc: v@example.com\r\n\r\nBody' });
  const { subject, headers, source } = await arrived(
    { subject_template: 'New:\n{{ event.payload.title }}' },
    { event: sent },
  );
  expect(subject).toBe('New: Hi Bcc: v@example.com Body');
  expect(headers.has('bcc')).toBe(false);
  expect(source.split('\r\n\r\n')[0]).not.toMatch(/^Bcc:/im);
});

test.each([
  ['\u2028a\u2029b\u0085c', 'a b c'],
  ['a\0b\u001bc', 'a b c'],
  ['=?utf-8?b?SGFjaw==?=', '=?utf-8?b?SGFjaw==?='],
  [`see =?utf-8?q?a?= ${'=?x'.repeat(40)}`, `see =?utf-8?q?a?= ${'=?x'.repeat(40)}`],
  ['Grüße, 世界 😀', 'Grüße, 世界 😀'],
  ['half \ud83d', 'half \ufffd'],
  ['x'.repeat(2_000), `${'x'.repeat(199)}…`],
  ['😀'.repeat(200), `${'😀'.repeat(99)}…`],
  ['\u202etxt.exe', '\\u202etxt.exe'],
])('T12: the subject %j arrives as %j', async (title, subject) => {
  const arrival = await arrived(
    { subject_template: '{{ event.payload.title }}', content_type: 'plain_text', body_template: 'x' },
    { event: withPayload({ title }), payload: { title } },
  );
  expect(arrival.subject).toBe(subject);
});

test('a subject that renders to an empty text is replaced by the default', async () => {
  expect((await arrived({ subject_template: ' {{ event.payload.nothing }} ' })).subject).toBe(
    'order.created: order o1',
  );
});

test('T18: HTML in data becomes text, in the default mail and in templates', async () => {
  const of = { event: withPayload({ [evilText]: evilText }) };
  const bodies: Partial<EmailConfigs>[] = [
    {},
    { body_template: '<p>{{ event.payload | json }}</p>' },
    { body_template: '{{ event.payload | json }}', content_type: 'markdown' },
  ];
  for (const configs of bodies) {
    const { html, text } = await arrived(configs, of);
    expect(html).not.toMatch(/<img/i);
    expect(html).toMatch(/(&lt;|&#60;|&#x3C;)img src=x onerror=alert\(1\)/);
    expect(text).toContain('<img src=x onerror=alert(1)>');
  }
  const { html } = await arrived(
    { body_template: '<p title="{{ event.payload.x }}">x</p>' },
    { event: withPayload({ x: `">${evilText}` }) },
  );
  expect(html).toContain('title="&#x22;><img src=x onerror=alert(1)> &#x26; &#x22;quoted&#x22;">x</p>');
});

test('a value in Markdown creates no heading, link or list, and is unchanged in the plain text', async () => {
  const x = '\n# TITLE\n[Reset](https://evil.example)\n\n1. a\n- b\nc\n===\n<https://evil.example> **d**';
  const { html, text } = await arrived(
    { content_type: 'markdown', body_template: '## {{ event.type }}\n\n{{ event.payload.x }} **end**' },
    { event: withPayload({ x }) },
  );
  expect(html).toContain('<h2>order.created</h2>');
  expect(html.match(/<(?:h1|a|ol|li|ul|hr)\b/g)).toBeNull();
  expect(html.match(/<strong>/g)).toHaveLength(1);
  expect(html).toContain('[Reset](https://evil.example)');
  expect(text.trim()).toBe(`## order.created\n\n${x} **end**`);
});

test('a value within CSS adds no URL, import or position', async () => {
  const x = 'red;position:fixed;background:url(https://evil.example)}@import "https://evil.example";';
  const body_template =
    '<style>p { color: {{ event.payload.x }} }</style><p style="color: {{ event.payload.x }}">a</p>';
  const { html } = await arrived({ body_template }, { event: withPayload({ x }) });
  expect(html).not.toMatch(/evil\.example\)|@import|position:|url\(/);
  expect(html.match(/redpositionfixed/g)).toHaveLength(2);
});

test.each([
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  'java\nscript:alert(1)',
  'vbscript:x',
  'data:text/html,x',
  'file:///etc/passwd',
])('T18: %j is never a link', async (url) => {
  const of = { event: withPayload({ url }) };
  for (const configs of [
    {},
    { body_template: '<a href="{{ event.payload.url }}">x</a><img src="{{ event.payload.url }}">' },
    {
      body_template: '[x]({{ event.payload.url }}) <{{ event.payload.url }}> ![x]({{ event.payload.url }})',
      content_type: 'markdown',
    },
  ] satisfies Partial<EmailConfigs>[]) {
    const { html } = await arrived(configs, of);
    expect(html).not.toMatch(/(?:href|src)=/);
  }
});

test('T18: an HTML template keeps tables, styles and web links, and loses active content', async () => {
  const { html } = await arrived({
    body_template: `<!doctype html><html><head><style>.a{color:red}</style><script>alert(1)</script></head>
<body bgcolor="#ffffff" onload="alert(1)"><table cellpadding="3" width="600"><tr><td valign="top" style="color:blue">x</td></tr></table>
<a href="https://example.com/x?a=1&amp;b=2">go</a> <a href="mailto:ada@example.com">write</a> <img src="https://example.com/x.png" width="3">
<iframe src="https://example.com"></iframe><form action="https://example.com"><input name="password"><button>x</button></form>
<svg onload="alert(1)"><script>alert(1)</script></svg><object data="x"></object><meta http-equiv="refresh" content="0;url=https://evil.example"></body></html>`,
  });
  expect(html).toMatch(/^<!doctype html>/i);
  for (const kept of [
    '.a{color:red}',
    'bgcolor="#ffffff"',
    'cellpadding="3"',
    'style="color:blue"',
    'href="https://example.com/x?a=1&#x26;b=2"',
    'href="mailto:ada@example.com"',
    'src="https://example.com/x.png"',
  ]) {
    expect(html).toContain(kept);
  }
  expect(html).not.toMatch(/script|onload|iframe|<form|<input|<svg|<object|http-equiv|alert/i);
});

test('T26: characters that change the text direction are shown as escapes, also as character references', async () => {
  const of = { event: withPayload({ file: '\u202egpj.exe \u2066x\u2069 &#8238;' }) };
  const template = '{{ event.payload.file }} &#x202E;';
  for (const configs of [
    {},
    { body_template: `<p>${template}</p>` },
    { body_template: template, content_type: 'markdown' },
    { body_template: template, content_type: 'plain_text' },
  ] satisfies Partial<EmailConfigs>[]) {
    const { html, text } = await arrived(configs, of);
    expect(`${html}${text}`).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
    expect(text).toContain('\\u202egpj.exe');
  }
});

test('T26: a link shows its host in ASCII', async () => {
  const link = (url: string) => arrived({}, { event: withPayload({ url }) });
  expect((await link('https://аpple.com/login')).html).toContain(
    '><bdi>https://xn--pple-43d.com/login</bdi></a>',
  );
  expect((await link('https://аpple.com/login')).text).toContain('url: https://xn--pple-43d.com/login');
  const disguised = await link('https://good.example@evil.example/');
  expect(disguised.html).not.toContain('<a ');
  expect(disguised.text).toContain('https://good.example@evil.example/ (evil.example)');

  const markdown = await arrived({
    content_type: 'markdown',
    body_template:
      '[Reset](https://evil.example/x) [https://good.example](https://evil.example) [evil.example](https://evil.example)',
  });
  expect(markdown.html).toContain('>Reset (evil.example)</a>');
  expect(markdown.html).toContain('>https://good.example (evil.example)</a>');
  expect(markdown.html).toContain('>evil.example</a>');

  const html = await arrived({
    body_template:
      '<a href="https://evil.example">good.example</a> <a href="https://example.com"><b>Open</b></a> <a href="https://xn--pple-43d.com">аpple.com</a>',
  });
  expect(html.html).toContain('>good.example (evil.example)</a>');
  expect(html.html).toContain('><b>Open</b></a>');
  expect(html.html).toContain('>аpple.com (xn--pple-43d.com)</a>');
  expect(html.text).toContain('Open [https://example.com]');
});

test('html escapes values, turns a fragment into a document for light and dark mode, and derives the plain text', async () => {
  const { html, text } = await arrived(
    {
      body_template:
        '<h1>{{ event.type }}</h1><p>{{ event.payload.note }}</p><ul><li>one</li><li>two</li></ul>',
    },
    { event: withPayload({ note: 'a < b & c' }) },
  );
  expect(html).toContain('<meta name="color-scheme" content="light dark">');
  expect(html).toContain('<p>a &#x3C; b &#x26; c</p>');
  expect(text.trim()).toBe('order.created\n\na < b & c\n\n * one\n * two');
});

test('markdown is rendered, with HTML as text and images as links, and its source is the plain text', async () => {
  const body_template =
    '# {{ event.type }}\n\nHi **{{ event.payload.name }}** <b>x</b>\n\n![logo](https://example.com/x.png)';
  const { html, text } = await arrived(
    { body_template, content_type: 'markdown' },
    { event: withPayload({ name: 'Ada' }) },
  );
  expect(html).toContain('<h1>order.created</h1>');
  expect(html).toContain('Hi <strong>Ada</strong> &#x3C;b>x&#x3C;/b>');
  expect(html).toContain('<a href="https://example.com/x.png">logo (example.com)</a>');
  expect(html).not.toContain('<img');
  expect(text.trim()).toBe('# order.created\n\nHi **Ada** <b>x</b>\n\n![logo](https://example.com/x.png)');
});

test('plain_text has no HTML, with and without a template', async () => {
  for (const body_template of ['{{ event.type }} <b>', null]) {
    const { html, text, headers } = await arrived({ content_type: 'plain_text', body_template });
    expect(html).toBe('');
    expect(text).toContain(body_template === null ? 'orderId: o1' : 'order.created <b>');
    expect(headers.get('content-type')).toMatchObject({ value: 'text/plain' });
  }
});

test('json is the payload as dispatched or the rendered template, and values cannot break out of it', async () => {
  const payload = { title: 'a"}, {"x":"y', total: 1.5 };
  const of = { event: { ...event, payload: '{"title":"a\\"}, {\\"x\\":\\"y","total":1.50}' } };
  expect((await arrived({ content_type: 'json' }, of)).text.trim()).toBe(of.event.payload);
  const body_template =
    '{"title":"{{ event.payload.title }}","total":"{{ event.payload.total }}","all":{{ event.payload | json }}}';
  const { text, html } = await arrived({ content_type: 'json', body_template }, of);
  expect(JSON.parse(text)).toEqual({ title: payload.title, total: '1.50', all: payload });
  expect(html).toBe('');
});

test('a digest is one mail with all its events, which templates can use', async () => {
  const digest = Array.from({ length: 30 }, (_, i) => {
    const one: WebhookEvent = { ...withPayload({ number: i }), type: `order.number${i}` };
    return { event: one, payload: { number: i } };
  });
  const { subject, html, text } = await arrived({}, { digest });
  expect(subject).toBe('30 events');
  for (const { event: one } of digest) {
    expect(html).toContain(`>${one.type}<`);
    expect(text).toContain(`${one.type}\n`);
  }
  const body_template = '{% for one in events %}{{ one.payload.number }},{% endfor %}';
  expect((await arrived({ content_type: 'plain_text', body_template }, { digest })).text).toContain('0,1,2,');
  const json = await arrived({ content_type: 'json' }, { digest });
  expect(JSON.parse(json.text)).toEqual(digest.map((one) => one.payload));
  expect((await arrived({}, { digest: digest.slice(0, 1) })).subject).toBe('1 event');
});

/** Returns the length of the encoded HTML part. */
const htmlBytes = (source: string): number => {
  const [, boundary = ''] = /boundary="([^"]+)"/.exec(source) ?? [];
  const part = source.split(`--${boundary}`).find((one) => /^\s*Content-Type: text\/html/i.test(one)) ?? '';
  return Buffer.byteLength(part, 'latin1');
};

test('the default mail stays under the 102 KB at which Gmail cuts, and says how many events are left out', async () => {
  const wide = Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [`${'世'.repeat(100)}${i}`, '世'.repeat(600)]),
  );
  for (const [count, payload] of [
    [1, wide],
    [20, wide],
    [1_000, { number: 1 }],
  ] as const) {
    const one = { event: withPayload(payload), payload };
    const { html, text, source } = await arrived({}, { ...one, digest: Array(count).fill(one) });
    expect(htmlBytes(source), String(count)).toBeGreaterThan(60 * 1024);
    expect(htmlBytes(source), String(count)).toBeLessThan(102 * 1024);
    const shown = html.match(/class="card"/g)!.length;
    expect(shown, String(count)).toBeGreaterThanOrEqual(1);
    if (count === 1) continue;
    expect(html).toContain(`… and ${count - shown} more`);
    expect(text).toContain(`\n\n… and ${count - shown} more\n\n`);
    expect(text.match(/^order\.created$/gm)).toHaveLength(shown);
  }
});

test('HTML that is nested too deeply, or a template that fails, fails the attempt, and nothing is sent', async () => {
  const { server, send, channel } = await setup();
  const bodies = ['{% for i in (1..9000) %}<b>{% endfor %}', '{% for i in (1..100000000) %}x{% endfor %}'];
  for (const body_template of bodies) {
    expect(await send(message({ body_template }))).toMatchObject({ outcome: 'failed', kind: 'config' });
    await expect(channel.preview!(message({ body_template }))).rejects.toMatchObject({
      code: 'invalid_template',
    });
  }
  expect(server.connections()).toBe(0);
});

test('a preview shows subject, HTML and text as they would be sent', async () => {
  const { channel, server, send } = await setup();
  const sent = message({ subject_template: 'New {{ event.type }}', body_template: '<p>{{ event.id }}</p>' });
  const parts = await channel.preview!(sent);
  expect(parts.map(({ name, type }) => [name, type])).toEqual([
    ['subject', 'text/plain'],
    ['html', 'text/html'],
    ['text', 'text/plain'],
  ]);
  expect(server.connections()).toBe(0);
  await send(sent);
  const { subject, html, text } = server.messages[0]!.mail;
  expect(parts.map((part) => part.text.trim())).toEqual(
    [subject, html, text].map((part) => String(part).trim()),
  );
});

test('the application can write the default mail itself, and its subject is cleaned', async () => {
  const { server, send } = await setup({
    defaultContent: async ({ event: { type } }) => ({
      subject: `Acme:\n${type}`,
      html: `<b>${type}</b>`,
      text: type,
    }),
  });
  await send(message());
  expect(server.messages[0]!.mail).toMatchObject({
    subject: 'Acme: order.created',
    html: '<b>order.created</b>',
  });
  const failing = await setup({
    defaultContent: () => {
      throw new Error('no such layout');
    },
  });
  expect(await failing.send(message())).toMatchObject({
    outcome: 'failed',
    kind: 'channel_error',
    message: 'no such layout',
  });
});

test('numbers of the event keep their spelling, with and without a template', async () => {
  const { server, send } = await setup();
  const sent = { ...event, payload: '{"account":9007199254740993,"owed":42.00}' };
  await send(message({}, { event: sent }));
  await send(
    message({ body_template: '{"id":"{{ metadata.account }}"}', content_type: 'json' }, { event: sent }),
  );
  const [usual, own] = server.messages.map(({ mail }) => mail.text);
  expect(usual).toMatch(/account: 9007199254740993\s+owed: 42.00/);
  expect(own).toContain('"id": 9007199254740993');
});
