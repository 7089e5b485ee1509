import { expect, test } from 'vitest';
import { failureOf } from '../src/failure.js';
import { LookupError } from '../src/resolve.js';

const error = (code: string): Error => Object.assign(new Error('canary'), { code });

test.each([
  ['EINVAL', 'refused'],
  ['EHOSTUNREACH', 'refused'],
  ['ETIMEDOUT', 'connect_timeout'],
  ['ECONNRESET', 'reset'],
  ['EPIPE', 'reset'],
  ['CERT_HAS_EXPIRED', 'tls'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls'],
  ['constructor', 'reset'],
])('%s is reported as %s, by its code alone', (code, kind) => {
  const told = failureOf(error(code));
  expect(told).toEqual({ ok: false, kind, message: expect.stringMatching(`\\(${code}\\)$`) });
  expect(told.message).not.toMatch(/canary/);
});

test.each(['EAI_AGAIN', 'ENOTFOUND', 'EINVAL', 'ETIMEOUT'])('%s of a look-up is reported as dns', (code) => {
  const message = `the host name could not be resolved (${code})`;
  expect(failureOf(new LookupError(error(code)))).toEqual({ ok: false, kind: 'dns', message });
});

test.each([undefined, null, 'canary', error('canary'), error('address_forbidden'), { code: 5 }])(
  'a look-up that fails with %j is reported as dns, without quoting the error',
  (thrown) => {
    const message = 'the host name could not be resolved';
    expect(failureOf(new LookupError(thrown))).toEqual({ ok: false, kind: 'dns', message });
  },
);

test.each(['EMFILE', 'ENFILE', 'ENOBUFS'])('%s is reported as a fault of this process', (code) => {
  for (const thrown of [error(code), new LookupError(error(code))]) {
    expect(failureOf(thrown)).toEqual({
      ok: false,
      kind: 'config',
      message: `this process ran out of open files or network buffers (${code})`,
    });
  }
});

test('a value that is not an error is reported as a reset', () => {
  for (const thrown of [undefined, null, 'canary', new Error('canary')]) {
    expect(failureOf(thrown)).toEqual({
      ok: false,
      kind: 'reset',
      message: 'the connection ended before an answer came',
    });
  }
});
