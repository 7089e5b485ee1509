import { matches, type PosthornError } from '@posthorn/core';
import { matchKeys, parseEventType, parsePattern } from '@posthorn/core/storage';
import { cpuMs } from '@posthorn/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const segment = fc.constantFrom('a', 'b', 'c', 'object', 'A', '0', '_', '-', '__proto__');
const type = fc.array(segment, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('.'));
const pattern = fc
  .array(fc.oneof(segment, fc.constant('*')), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join('.'));

/** The grammar in a second form: walks pattern and type together, segment by segment. */
function obviouslyMatches(patternText: string, typeText: string): boolean {
  const wanted = patternText.split('.');
  const given = typeText.split('.');
  for (const [i, part] of wanted.entries()) {
    const isLast = i === wanted.length - 1;
    if (given[i] === undefined) return false;
    if (part === '*' && isLast) return true;
    if (part !== '*' && part !== given[i]) return false;
  }
  return wanted.length === given.length;
}

describe('matching', () => {
  test('finds exactly the patterns that a simple matcher finds', () => {
    fc.assert(
      fc.property(pattern, type, (p, t) => matches(p, t) === obviouslyMatches(p, t)),
      { numRuns: 5_000 },
    );
  });

  test('finds every pattern made from a type by replacing segments with stars', () => {
    fc.assert(
      fc.property(
        type,
        fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
        fc.nat(5),
        (t, stars, cut) => {
          const parts = t.split('.').map((part, i) => (stars[i] ? '*' : part));
          const whole = parts.join('.');
          const shortened = [...parts.slice(0, cut % parts.length), '*'].join('.');
          return matches(whole, t) && matches(shortened, t);
        },
      ),
    );
  });

  test('returns no pattern twice, and only valid patterns', () => {
    fc.assert(
      fc.property(type, (t) => {
        const keys = matchKeys(t);
        expect(new Set(keys).size).toBe(keys.length);
        for (const key of keys) expect(parsePattern(key)).toBe(key);
      }),
    );
  });

  test.each([
    ['object.*', 'object.created', true],
    ['object.*', 'object.created.batch', true],
    ['object.*', 'object', false],
    ['object.*', 'objects.created', false],
    ['*.deleted', 'object.deleted', true],
    ['*.deleted', 'a.b.deleted', false],
    ['*', 'anything.at.all', true],
    ['user.created', 'USER.created', false],
    ['a.*.c', 'a.b.c', true],
    ['a.*.c', 'a.b.b.c', false],
    ['a.*.*', 'a.b', false],
    ['a.*.*', 'a.b.c.d', true],
  ])('%s matches %s: %s', (p, t, expected) => {
    expect(matches(p, t)).toBe(expected);
  });

  test('needs at most 95 keys, for six segments', () => {
    expect(matchKeys('a.b.c.d.e.f')).toHaveLength(95);
  });
});

describe('the grammar', () => {
  test.each([
    '',
    '.',
    'a.',
    '.a',
    'a..b',
    'a.b.c.d.e.f.g',
    'a b',
    'a/b',
    'é',
    'a.*',
    '*',
    'a%',
    "a'",
    'a\\',
    '🎺',
    'a\nb',
    'x'.repeat(129),
  ])('refuses %j as an event type', (text) => {
    expect(() => parseEventType(text)).toThrow(expect.objectContaining({ code: 'invalid_event_type' }));
  });

  test.each([
    'user.**',
    'us*r',
    'user*',
    '*user',
    '{a,b}',
    '[a-z]',
    '!(x)',
    '+(a|b)',
    '(a+)+$',
    '',
    'a..b',
    '*.*.*.*.*.*.*',
  ])('refuses %j as a pattern: * is only a whole segment', (text) => {
    expect(() => parsePattern(text)).toThrow(expect.objectContaining({ code: 'invalid_pattern' }));
  });

  test.each([undefined, null, 1, {}, [], Symbol('a')])(
    'refuses a value that is not a string: %s',
    (value) => {
      expect(() => parseEventType(value)).toThrow(expect.objectContaining({ code: 'invalid_event_type' }));
    },
  );

  test('checks hostile input in less than a millisecond', async () => {
    const hostile = [
      `${'*'.repeat(34)}x`,
      Array(30).fill('**').join('.'),
      '(a+)+$'.repeat(20),
      '*('.repeat(60),
    ];
    for (const text of hostile) {
      expect(await cpuMs(() => expect(() => parsePattern(text)).toThrow())).toBeLessThan(20);
    }
  });

  test('says which segment is invalid, and why', () => {
    const error = (() => {
      try {
        return parsePattern('a.b*.c');
      } catch (thrown) {
        return thrown as PosthornError;
      }
    })() as PosthornError;
    expect(error.message).toBe('pattern segment 2 must be letters, digits, _ and -, or a whole *');
  });
});
