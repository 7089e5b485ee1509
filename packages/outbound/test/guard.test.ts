import { isPosthornError } from '@posthorn/core';
import { describe, expect, test } from 'vitest';
import { createOutbound } from '../src/index.js';
import { client } from './client.js';
import { receiver, response } from './receiver.js';

const strict = createOutbound();
const allowing = createOutbound({ policy: { allowHttp: true } });

function errorOf(check: () => void): { code: string; message: string } {
  try {
    check();
  } catch (error) {
    if (isPosthornError(error)) return error;
    throw error;
  }
  return { code: 'fine', message: '' };
}

const codeOf = (check: () => void): string => errorOf(check).code;

describe('an address', () => {
  test.each([
    'https://example.com',
    'https://example.com/',
    'https://example.com:8443/hook?key=1&b=%20',
    'HTTPS://EXAMPLE.COM/hook',
    'https://münchen.example/straße',
    'https://[2001:db8::1]:8443/hook',
    `https://example.com/${'a'.repeat(2000)}`,
  ])('%.60s is fine', (url) => {
    expect(codeOf(() => strict.checkUrl(url))).toBe('fine');
  });

  test.each([
    ['', 'url_invalid'],
    ['example.com/hook', 'url_invalid'],
    ['//example.com/hook', 'url_invalid'],
    ['https://', 'url_invalid'],
    ['https:example.com', 'url_invalid'],
    ['https:/example.com', 'url_invalid'],
    ['https:///example.com', 'url_invalid'],
    ['https:\\\\example.com', 'url_invalid'],
    ['https://example.com\\@evil.example', 'url_invalid'],
    [' https://example.com', 'url_invalid'],
    ['https://example.com ', 'url_invalid'],
    ['https://exa\tmple.com', 'url_invalid'],
    ['https://example.com/\r\nx-evil: 1', 'url_invalid'],
    ['https://example.com/\u0000', 'url_invalid'],
    ['https://example.com/\u2028', 'url_invalid'],
    ['https://example.com/\ud800', 'url_invalid'],
    ['https://example.com:99999/', 'url_invalid'],
    ['https://exa mple.com', 'url_invalid'],
    ['https://[::1', 'url_invalid'],
    ['https://1.2.3.4.5/', 'url_invalid'],
    [`https://example.com/${'a'.repeat(2048)}`, 'url_invalid'],
    [`https://example.com/${'é'.repeat(400)}`, 'url_invalid'],
    ['https://user:secret@example.com', 'url_credentials'],
    ['https://user@example.com', 'url_credentials'],
    ['https://@example.com', 'url_credentials'],
    ['https://:@example.com', 'url_credentials'],
    ['http://example.com', 'url_scheme'],
    ['ftp://example.com', 'url_scheme'],
    ['file:///etc/passwd', 'url_scheme'],
    ['javascript:alert(1)', 'url_scheme'],
    ['data:text/plain,hello', 'url_scheme'],
    ['unix:/var/run/docker.sock', 'url_scheme'],
    ['gopher://example.com', 'url_scheme'],
    ['blob:https://example.com/1', 'url_scheme'],
  ])('%j is refused as %s', (url, code) => {
    expect(codeOf(() => strict.checkUrl(url))).toBe(code);
  });

  test('may be plain HTTP only where the application allows it', () => {
    expect(codeOf(() => strict.checkUrl('http://example.com'))).toBe('url_scheme');
    expect(codeOf(() => allowing.checkUrl('http://example.com'))).toBe('fine');
    expect(codeOf(() => allowing.checkUrl('ftp://example.com'))).toBe('url_scheme');
  });

  test('that is plain HTTP is refused with how to allow it, any other scheme is not', () => {
    expect(errorOf(() => strict.checkUrl('http://example.com')).message).toBe(
      'url must begin with https://; allow plain HTTP with policy.allowHttp: ' +
        'httpChannel({ outbound: { policy: { allowHttp: true } } })',
    );
    expect(errorOf(() => strict.checkUrl('ftp://example.com')).message).toBe('url must begin with https://');
  });

  test('is never quoted when it is refused: its path may be a secret', () => {
    for (const url of ['http://example.com/canary', 'https://user:canary@example.com', 'canary canary']) {
      expect(errorOf(() => strict.checkUrl(url)).message).toMatch(/^url must (?!.*canary)/);
    }
  });

  test('an @ in the path or the query is no user name', () => {
    expect(codeOf(() => strict.checkUrl('https://example.com/@me?to=a@b'))).toBe('fine');
  });
});

test('a request to a refused address rejects, and nothing is sent', async () => {
  const { url, requests, sockets } = await receiver((socket) => socket.write(response(200)));
  const outbound = client({ policy: {} });
  await expect(outbound.request({ url })).rejects.toMatchObject({ code: 'url_scheme' });
  expect(requests).toEqual([]);
  expect(sockets).toEqual([]);
});

test('the path and the query go out as the URL standard writes them', async () => {
  const { url, requests } = await receiver((socket) => socket.write(response(200)));
  await client().request({ url: `${url}/a%2Fb/ü?q=%41&r=a+b#gone` });
  expect(requests[0]).toMatch(/^POST \/hook\/a%2Fb\/%C3%BC\?q=%41&r=a\+b HTTP\/1\.1\r\n/);
});
