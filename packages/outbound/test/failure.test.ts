import { expect, test } from 'vitest';
import { failureOf } from '../src/failure.js';

const error = (code: string, syscall?: string): Error =>
  Object.assign(new Error('canary'), { code, ...(syscall ? { syscall } : {}) });

test.each([
  ['EAI_AGAIN', 'getaddrinfo', 'dns'],
  ['ENOTFOUND', 'getaddrinfo', 'dns'],
  ['EINVAL', 'getaddrinfo', 'dns'],
  ['EAI_FAIL', undefined, 'dns'],
  ['EINVAL', 'connect', 'refused'],
  ['EHOSTUNREACH', 'connect', 'refused'],
  ['ETIMEDOUT', 'connect', 'connect_timeout'],
  ['ECONNRESET', 'read', 'reset'],
  ['EPIPE', 'write', 'reset'],
  ['CERT_HAS_EXPIRED', undefined, 'tls'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', undefined, 'tls'],
  ['constructor', undefined, 'reset'],
])('%s of %s is told as %s, by its code alone', (code, syscall, kind) => {
  const told = failureOf(error(code, syscall));
  expect(told).toEqual({ ok: false, kind, message: expect.stringMatching(`\\(${code}\\)$`) });
  expect(told.message).not.toMatch(/canary/);
});

test.each(['EMFILE', 'ENFILE', 'ENOBUFS'])('%s is told as a fault of this process', (code) => {
  for (const syscall of ['connect', 'getaddrinfo']) {
    expect(failureOf(error(code, syscall))).toEqual({
      ok: false,
      kind: 'config',
      message: `this process ran out of open files or network buffers (${code})`,
    });
  }
});

test('what is no error is a reset', () => {
  for (const thrown of [undefined, null, 'canary', new Error('canary')]) {
    expect(failureOf(thrown)).toEqual({
      ok: false,
      kind: 'reset',
      message: 'the connection ended before an answer came',
    });
  }
});
