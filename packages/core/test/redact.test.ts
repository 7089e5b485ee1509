import { describe, expect, test } from 'vitest';
import { redact } from '../src/redact.js';

describe('a text is kept', () => {
  test.each(['', 'ok', 'fine: s3cret-token'])('%j, where it holds no secret', (text) => {
    expect(redact(text, ['s3cret', 'another-secret'])).toBe(text);
  });
});

describe('a secret is masked', () => {
  test.each<[string, string[], string, string]>([
    ['wherever it stands', ['s3cret-token'], 's3cret-token, s3cret-token!', '***, ***!'],
    [
      'in one piece where it begins as another',
      ['12345678', '12345678-rest'],
      'a 12345678-rest b',
      'a *** b',
    ],
    ['as JSON writes it', ['a"quoted"\\one'], '{"got":"a\\"quoted\\"\\\\one"}', '{"got":"***"}'],
    ['as JSON with escaped slashes writes it', ['/services/T0/B0'], '"\\/services\\/T0\\/B0"', '"***"'],
    ['where the text ends within it', ['whsec_12345678'], 'got whsec_1234', 'got ***'],
    ['where the text ends with eight characters of it', ['12345678abc'], 'got 12345678', 'got ***'],
    ['where it begins twice before the end', ['aaaaaaaaaaaab'], 'got aaaaaaaaaa', 'got ***'],
    [
      'where the text ends within a longer one',
      ['k="12345678",s="87654321"', '12345678'],
      'k="12345678",s="8',
      '***',
    ],
    ['where it ends as another begins', ['xxxx12345678', '123456789'], 'got xxxx12345678', 'got ***'],
    ['where the text is nothing else', ['s3cret-token'], 's3cret-token', '***'],
  ])('%s', (_, secrets, text, redacted) => {
    expect(redact(text, secrets)).toBe(redacted);
    expect(redact(text, [...secrets].reverse())).toBe(redacted);
  });

  test('unless fewer than eight characters of it are left', () => {
    expect(redact('got whsec_1', ['whsec_12345678'])).toBe('got whsec_1');
  });
});
