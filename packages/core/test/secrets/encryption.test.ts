import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createEncryptor,
  type EncryptionContext,
  type EncryptionOptions,
  isEncrypted,
} from '../../src/secrets/encryption.js';

const place: EncryptionContext = { tenantId: 'acme', webhookId: 'wh_1', purpose: 'signing' };
const one = { id: 'one', key: randomBytes(32) };
const two = { id: 'two', key: randomBytes(32).toString('base64') };
const encryptor = createEncryptor({ keys: [one] });
const refusal = expect.objectContaining({ code: 'secret_unreadable' });

describe('an encrypted text', () => {
  test('decrypts to the original, and shows nothing of it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 8 }), (text) => {
        const sealed = encryptor.encrypt(text, place);
        expect(sealed).toMatch(/^enc:v1:one:[A-Za-z0-9_-]+$/);
        expect(sealed).not.toContain(text);
        expect(encryptor.decrypt(sealed, place)).toBe(text);
      }),
    );
  });

  test('is different each time', () => {
    const texts = new Set(Array.from({ length: 1_000 }, () => encryptor.encrypt('s3cret', place)));
    expect(texts.size).toBe(1_000);
  });

  test.each<[string, Partial<EncryptionContext>]>([
    ['tenant', { tenantId: 'globex' }],
    ['webhook', { webhookId: 'wh_2' }],
    ['purpose', { purpose: '["bnd_1","headers","x"]' }],
  ])('does not decrypt for another %s', (_, other) => {
    const sealed = encryptor.encrypt('s3cret', place);
    expect(() => encryptor.decrypt(sealed, { ...place, ...other })).toThrow(refusal);
  });

  test('does not decrypt for a place whose parts only concatenate to the same text', () => {
    const sealed = encryptor.encrypt('s3cret', { tenantId: 'a', webhookId: 'b","c', purpose: 'd' });
    expect(() => encryptor.decrypt(sealed, { tenantId: 'a","b', webhookId: 'c', purpose: 'd' })).toThrow(
      refusal,
    );
  });

  test('does not decrypt once a single bit has changed', () => {
    const sealed = encryptor.encrypt('s3cret-s3cret', place);
    const start = 'enc:v1:one:'.length;
    const bytes = Buffer.from(sealed.slice(start), 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => encryptor.decrypt(sealed.slice(0, start) + changed.toString('base64url'), place)).toThrow(
        refusal,
      );
    }
  });

  test.each(['enc:v1:', 'enc:v1:one', 'enc:v1:one:', 'enc:v1:one:AAAA', 'enc:v1:one:%%', 'enc:v1::AAAA'])(
    '%j is refused as malformed',
    (text) => {
      expect(() => encryptor.decrypt(text, place)).toThrow(refusal);
    },
  );

  test('decrypts with any configured key, and otherwise fails with an error that names the missing key', () => {
    const sealed = encryptor.encrypt('s3cret', place);
    expect(createEncryptor({ keys: [two, one] }).decrypt(sealed, place)).toBe('s3cret');
    expect(() => createEncryptor({ keys: [two] }).decrypt(sealed, place)).toThrow(
      'encryption.keys has no key with the id one',
    );
    expect(() => createEncryptor(undefined).decrypt(sealed, place)).toThrow(
      'encryption.keys has no key with the id one',
    );
    const impostor = createEncryptor({ keys: [{ id: 'one', key: randomBytes(32) }] });
    expect(() => impostor.decrypt(sealed, place)).toThrow(refusal);
  });
});

test('the first key encrypts, and only its texts are current', () => {
  const both = createEncryptor({ keys: [two, one] });
  expect(both.encrypt('s3cret', place)).toMatch(/^enc:v1:two:/);
  expect(both.isCurrent(both.encrypt('s3cret', place))).toBe(true);
  expect(both.isCurrent(encryptor.encrypt('s3cret', place))).toBe(false);
  expect(both.isCurrent('in the clear')).toBe(false);
});

test('without keys texts stay as they are, and plain texts stay readable once there are keys', () => {
  const clear = createEncryptor(undefined);
  expect(clear.hasKeys).toBe(false);
  expect(clear.encrypt('s3cret', place)).toBe('s3cret');
  expect(clear.isCurrent('s3cret')).toBe(true);
  expect(encryptor.decrypt('s3cret', place)).toBe('s3cret');
  expect(isEncrypted('s3cret')).toBe(false);
  expect(isEncrypted(encryptor.encrypt('s3cret', place))).toBe(true);
});

test.each<[string, unknown]>([
  ['keys', {}],
  ['keys', { keys: [] }],
  ['keys', { keys: 'key' }],
  ['encryption', 'key'],
  ['secret', { keys: [one], secret: 'canary' }],
  ['keys[0].id', { keys: [{ id: '', key: one.key }] }],
  ['keys[0].id', { keys: [{ id: 'a:b', key: one.key }] }],
  ['keys[0].id', { keys: [{ key: one.key }] }],
  ['keys[1].id', { keys: [one, one] }],
  ['keys[0].key', { keys: [{ id: 'a' }] }],
  ['keys[0].key', { keys: [{ id: 'a', key: randomBytes(31) }] }],
  ['keys[0].key', { keys: [{ id: 'a', key: 'canary-canary-canary' }] }],
  ['keys[0].key', { keys: [{ id: 'a', key: randomBytes(32).toString('hex') }] }],
  ['keys[0].key', { keys: [{ id: 'a', key: ` ${two.key}` }] }],
])('an invalid %s is refused, and the error names it: %o', (name, options) => {
  expect(() => createEncryptor(options as EncryptionOptions)).toThrow(
    expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(name) }),
  );
  expect(() => createEncryptor(options as EncryptionOptions)).not.toThrow(/canary/);
});
