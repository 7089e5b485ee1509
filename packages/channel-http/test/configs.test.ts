import { describe, expect, test } from 'vitest';
import { httpChannel } from '../src/index.js';

const plain = httpChannel();
const url = 'https://example.com/hook';

async function judge(configs: unknown, channel = plain): Promise<unknown> {
  const result = await channel.config['~standard'].validate(configs);
  return result.issues
    ? Object.fromEntries(result.issues.map((issue) => [issue.path?.join('.') ?? '', issue.message]))
    : result.value;
}

describe('valid configs are accepted', () => {
  test.each([
    { url },
    { url, headers: null, payload_template: null, timeout: null, method: null },
    { url, headers: { Authorization: 'Bearer s3cret' }, timeout: 0.5, method: 'PUT' },
    { url, headers: {}, timeout: 60, method: 'PATCH' },
    { url, timeout: 10, method: 'POST' },
  ])('%j, unchanged', async (configs) => {
    expect(await judge(configs)).toEqual(configs);
  });

  test('without the spaces around header values', async () => {
    expect(await judge({ url, headers: { 'x-a': ' b ' } })).toEqual({ url, headers: { 'x-a': 'b' } });
  });

  test('with a payload template, unchanged', async () => {
    const configs = {
      url,
      payload_template: { text: '{{ event_type }}', old: ['{metadata.name}', 1], none: {} },
    };
    expect(await judge(configs)).toEqual(configs);
  });

  test('with plain HTTP if the outbound policy allows it', async () => {
    const configs = { url: 'http://localhost:8080/' };
    expect(await judge(configs)).toEqual({
      url: expect.stringMatching(/^must begin with https:.*policy\.allowHttp/),
    });
    expect(
      await judge(
        configs,
        httpChannel({ outbound: { policy: { allowHttp: true, allowHosts: ['localhost'] } } }),
      ),
    ).toEqual(configs);
  });
});

describe('the host of a URL', () => {
  test.each(['https://10.0.0.1/', 'https://localhost/', 'https://[::ffff:127.0.0.1]/'])(
    '%s is refused when it is saved',
    async (url) => {
      expect(await judge({ url })).toEqual({ url: expect.stringMatching(/^must /) });
    },
  );

  test('may be saved before it resolves, since each attempt resolves it again', async () => {
    expect(await judge({ url: 'https://missing.invalid/' })).toEqual({ url: 'https://missing.invalid/' });
  });
});

describe('invalid configs are refused with the path of each field', () => {
  test.each<[unknown, Record<string, unknown>]>([
    [{}, { url: 'must be a string' }],
    [{ url: 1 }, { url: 'must be a string' }],
    [{ url: null }, { url: 'must be a string' }],
    [{ url: 'example.com' }, { url: expect.stringMatching(/full URL/) }],
    [{ url: 'ftp://example.com' }, { url: 'must begin with https://' }],
    [{ url: 'https://user:canary@example.com' }, { url: 'must not hold a user name or password' }],
    [{ url: `${url}/${'a'.repeat(2048)}` }, { url: 'must have at most 2048 characters' }],
    [{ url, headers: 'x: y' }, { headers: 'must be an object of strings, or null' }],
    [{ url, headers: ['x'] }, { headers: 'must be an object of strings, or null' }],
    [{ url, headers: { 'x-a': 1 } }, { 'headers.x-a': 'must be a string, not a number' }],
    [
      { url, headers: { 'x-a': 'canary\r\n' } },
      { 'headers.x-a': 'must contain printable ASCII characters only' },
    ],
    [{ url, headers: { Host: 'x' } }, { 'headers.Host': expect.stringMatching(/^must not be set/) }],
    [
      { url, headers: { 'Webhook-Id': 'x', 'content-type': 'x' } },
      { 'headers.Webhook-Id': expect.any(String), 'headers.content-type': expect.any(String) },
    ],
    [{ url, timeout: 0 }, { timeout: 'must be more than 0' }],
    [{ url, timeout: -1 }, { timeout: 'must be more than 0' }],
    [{ url, timeout: 61 }, { timeout: 'must be at most 60 seconds' }],
    [{ url, timeout: '10' }, { timeout: 'must be a number of seconds' }],
    [{ url, timeout: Number.NaN }, { timeout: 'must be a number of seconds' }],
    [{ url, timeout: Number.POSITIVE_INFINITY }, { timeout: expect.any(String) }],
    [{ url, method: 'GET' }, { method: 'must be POST, PUT or PATCH' }],
    [{ url, method: 'post' }, { method: 'must be POST, PUT or PATCH' }],
    [{ url, payload_template: 'text' }, { payload_template: 'must be an object or null' }],
    [{ url, payload_template: [] }, { payload_template: 'must be an object or null' }],
    [{ url, header: {} }, { header: 'is no field of a webhook channel' }],
    [
      { url: 'x', timeout: 0, secret: 'canary' },
      { url: expect.any(String), timeout: expect.any(String), secret: 'is no field of a webhook channel' },
    ],
    [null, { '': 'must be an object' }],
    ['canary', { '': 'must be an object' }],
    [[], { '': 'must be an object' }],
  ])('%j', async (configs, issues) => {
    const found = await judge(configs);
    expect(found).toEqual(issues);
    expect(JSON.stringify(found)).not.toMatch(/canary/);
  });

  test.each(['{}', 'null', '1'])('a field named __proto__, which JSON can contain: %s', async (value) => {
    const configs = JSON.parse(`{"url":"${url}","__proto__":${value}}`) as unknown;
    const { issues } = await plain.config['~standard'].validate(configs);
    expect(issues).toMatchObject([{ path: ['__proto__'], message: 'is no field of a webhook channel' }]);
  });

  test('a payload template, with the path of the string, line and column', async () => {
    const payload_template = {
      a: [{ b: 'canary\n  {{ x' }],
      c: '{% include "canary" %}',
      d: '{{ x | shout }}',
    };
    expect(await judge({ url, payload_template })).toEqual({
      'payload_template.a.0.b': 'line 2, column 3: {{ is not closed',
      'payload_template.c':
        'line 1, column 1: the tag include is refused: templates cannot read other templates',
      'payload_template.d': 'line 1, column 1: unknown filter shout',
    });
    expect(await judge({ url, payload_template: { a: 'x'.repeat(70_000) } })).toEqual({
      payload_template: 'must have at most 64 KiB',
    });
  });
});

describe('options', () => {
  test.each([
    ['format', { format: 'xml' }],
    ['format', { format: 'constructor' }],
    ['source', { source: '' }],
    ['source', { source: 'a b' }],
    ['userAgent', { userAgent: 'a\r\nx-evil: 1' }],
    ['userAgent', { userAgent: '' }],
    ['template', { template: { check: () => {}, render: () => '' } }],
    ['timeoutMs', { outbound: { timeoutMs: 0 } }],
    ['outbound', { outbound: null }],
    ['formt', { formt: 'default' }],
    ['options', 'default'],
  ])('%s is refused and named in the error: %j', (name, options) => {
    expect(() => httpChannel(options as never)).toThrow(
      expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(name) }),
    );
  });
});
