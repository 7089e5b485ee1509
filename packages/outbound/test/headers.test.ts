import { isPosthornError } from '@posthorn/core';
import { describe, expect, test } from 'vitest';
import { checkHeaders } from '../src/index.js';
import { client } from './client.js';
import { receiver, response } from './receiver.js';

function issuesOf(headers: Record<string, unknown>): unknown {
  try {
    return checkHeaders(headers);
  } catch (error) {
    if (!isPosthornError(error) || error.code !== 'invalid_header') throw error;
    expect(error.message).not.toMatch(/canary/);
    return error.issues;
  }
}

const refused = (name: string): unknown => [{ path: [name], message: expect.any(String) }];

describe('headers of a tenant', () => {
  test('ordinary ones are kept unchanged, including case and order', () => {
    const headers = { 'X-Api-Key': 'k', Authorization: 'Bearer s3cret', 'x-empty': '', 'x-tab': 'a\tb' };
    expect(Object.entries(checkHeaders(headers))).toEqual(Object.entries(headers));
  });

  test('spaces around a value are dropped', () => {
    expect(checkHeaders({ 'x-a': ' \t b c \t' })).toEqual({ 'x-a': 'b c' });
  });

  test.each([
    ['a line break and another header', 'canary\r\nX-Evil: 1'],
    ['a bare LF', 'canary\n'],
    ['a bare CR', 'canary\r'],
    ['NUL', 'canary\u0000'],
    ['a control character', 'canary\u001b[31m'],
    ['DEL', 'canary\u007f'],
    ['Japanese', 'canary日本'],
    ['a lone surrogate', 'canary\ud800'],
    ['a Latin-1 letter', 'canaryé'],
    ['more than 4 KiB', 'canary'.repeat(700)],
    ['a number', 1],
    ['an array', ['canary']],
    ['null', null],
    ['an object', { canary: 1 }],
    ['undefined', undefined],
    ['true', true],
  ])('a value is refused if it is or has %s', (_, value) => {
    expect(issuesOf({ 'x-a': value })).toEqual(refused('x-a'));
  });

  test.each(['', 'a b', 'a:b', 'a?', '(x)', 'ü', 'a\r\nb', 'a\u0000', 'a'.repeat(300), 'a/b', '"a"', 'a,b'])(
    'the name %j is refused',
    (name) => {
      expect(issuesOf({ [name]: 'x' })).toEqual(refused(name));
    },
  );

  test.each([
    ...['Host', 'Content-Length', 'Transfer-Encoding', 'Connection', 'TE', 'Trailer', 'Upgrade', 'Expect'],
    ...['Keep-Alive', 'Content-Type', 'Content-Encoding', 'User-Agent', 'Accept-Encoding', 'HTTP2-Settings'],
    ...['Proxy-Authorization', 'Proxy-Connection', 'X-Forwarded-For', 'X-Forwarded-Host', 'Forwarded', 'Via'],
    ...['webhook-id', 'Webhook-Signature', 'WEBHOOK-TIMESTAMP', 'ce-id', 'X-Real-IP'],
    ...['True-Client-IP', 'CF-Connecting-IP', 'X-Client-IP', 'X-Original-URL', 'X-Rewrite-URL'],
    ...['Content_Length', 'X_Forwarded_For', 'webhook_id', 'x-forwarded_host'],
    ...['Metadata-Flavor', 'X-aws-ec2-metadata-token', 'X-aws-ec2-metadata-token-ttl-seconds', 'Metadata'],
    ...['x-amz-security-token', 'X-Goog-Anything', 'x-azure-ref', 'X-FD-HealthProbe', '__proto__'],
  ])('%s is not for a tenant to set', (name) => {
    expect(issuesOf(JSON.parse(`{${JSON.stringify(name)}:"x"}`))).toEqual(refused(name));
  });

  test('one name in two spellings is refused', () => {
    expect(issuesOf({ 'X-A': '1', 'x-a': '2' })).toEqual(refused('x-a'));
  });

  test('the error quotes no name that could forge or flood a log, and says if there are more issues', () => {
    const names = [
      'a\r\nlevel=info',
      'b\u202eevil',
      'c'.repeat(1_000_000),
      ...Array.from({ length: 50 }, (_, i) => `d ${i}`),
    ];
    const headers = Object.fromEntries(names.map((name) => [name, 'x']));
    expect(() => checkHeaders(headers)).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^[\x20-\x7e]{1,6000}; and \d+ more$/) }),
    );
  });

  test('names of inherited object properties are ordinary names', () => {
    const headers = { constructor: 'a', toString: 'b', hasOwnProperty: 'c' };
    expect(checkHeaders(headers)).toEqual(headers);
    expect({}).not.toHaveProperty('x');
  });

  test('at most 32 headers with 16 KiB in total are accepted', () => {
    const many = (count: number, value: string): Record<string, string> =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, value]));
    expect(checkHeaders(many(32, 'a'))).toEqual(many(32, 'a'));
    expect(issuesOf(many(33, 'a'))).toEqual([{ path: [], message: 'must have at most 32 entries' }]);
    expect(issuesOf(many(5, 'a'.repeat(4000)))).toMatchObject([{ path: [] }]);
  });

  test('the error lists every issue', () => {
    expect(issuesOf({ Host: 'a', 'x-a': 1, 'x-b': 'fine' })).toMatchObject([
      { path: ['Host'] },
      { path: ['x-a'] },
    ]);
  });

  test.each([null, [], 'x: y', 1])('%j is refused', (headers) => {
    expect(issuesOf(headers as never)).toMatchObject([{ path: [] }]);
  });
});

describe('headers of a request', () => {
  test('are sent unchanged', async () => {
    const { url, requests } = await receiver((socket) => socket.write(response(200)));
    await client().request({
      url,
      headers: { 'content-type': 'application/json', 'X-Case': 'Kept' },
      body: '{}',
    });
    const { host } = new URL(url);
    expect(requests[0]).toBe(
      `POST /hook HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\ncontent-type: application/json\r\n` +
        'X-Case: Kept\r\ncontent-length: 2\r\n\r\n{}',
    );
  });

  test.each([
    ['a line break in a value', { 'x-a': 'canary\r\nx-evil: 1' }],
    ['a Latin-1 letter', { 'x-a': 'canary é' }],
    ['a line break in a name', { 'x-a\r\nx-evil': '1' }],
    ['a host of its own', { Host: 'evil.example' }],
    ['a length of its own', { 'Content-Length': '1' }],
    ['chunks', { 'transfer-encoding': 'chunked' }],
    ['a value that is not a string', { 'x-a': 1 as never }],
  ])('%s rejects, and nothing is sent', async (_, headers) => {
    const { url, requests, sockets } = await receiver((socket) => socket.write(response(200)));
    const request = client().request({ url, headers: headers as Record<string, string>, body: '{}' });
    await expect(request).rejects.toMatchObject({
      code: 'invalid_header',
      message: expect.not.stringContaining('canary'),
    });
    expect(requests).toEqual([]);
    expect(sockets).toEqual([]);
  });
});
