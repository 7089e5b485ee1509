import { slackMarkup } from '@posthorn/testing/slack-stand-in';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cutMarkup, dateMarkup, escaped, valueMarkup } from '../src/markup.js';

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.constantFrom('<', '>', '&', '|', '!channel', '@U1', '&lt;', '😀', '\n', 'https://a.b/', 'x'))
    .map((parts) => parts.join('')),
);

describe('a text', () => {
  test('mentions no one, links nowhere, and is displayed as written', () => {
    fc.assert(
      fc.property(text, (raw) => {
        const { mentions, links, shown } = slackMarkup(escaped(raw));
        expect({ mentions, links, shown: shown.replaceAll('\u00ad', '') }).toEqual({
          mentions: [],
          links: [],
          shown: raw.replaceAll('\u00ad', ''),
        });
      }),
    );
  });

  test('that was escaped before is escaped again, and so is displayed as received', () => {
    expect(escaped('&lt;!channel&gt;')).toBe('&amp;lt;!channel&amp;gt;');
  });
});

describe('a value', () => {
  test('that is a URL links to itself, and cannot end or label the link', () => {
    expect(valueMarkup('https://a.example/?q=1&r=<2>|3')).toBe('<https://a.example/?q=1&amp;r=%3C2%3E%7C3>');
    fc.assert(
      fc.property(text, (tail) => {
        const { links, mentions } = slackMarkup(valueMarkup(`https://a.example/${tail}`));
        expect(mentions).toEqual([]);
        for (const { url, label } of links) expect(label).toBe(url);
        expect(links.length).toBeLessThanOrEqual(1);
      }),
    );
  });

  test.each([
    '<https://evil.example|Reset your password>',
    'javascript:alert(1)',
    'see https://a.example',
    'https://a b',
  ])('%s is text', (value) => {
    expect(slackMarkup(valueMarkup(value))).toEqual({ mentions: [], links: [], shown: value });
  });
});

describe('a cut', () => {
  test('leaves a short text unchanged', () => {
    expect(cutMarkup('a &amp; b', 9)).toBe('a &amp; b');
  });

  test.each([
    ['half a character', 'ab😀😀', 4, 'ab…'],
    ['half an entity', 'ab&amp;&amp;', 10, 'ab&amp;…'],
    ['half a link', 'ab <https://a.example> c', 20, 'ab …'],
    ['half a mention', 'ab <@U1234> and so on', 8, 'ab …'],
  ])('leaves no %s behind', (_, markup, length, cut) => {
    expect(cutMarkup(markup, length)).toBe(cut);
  });

  test('respects the length, ends with a mark, and shows the beginning of the text', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 40 }), (raw, length) => {
        const whole = raw.replace(/\p{Cs}/gu, '');
        const cut = cutMarkup(escaped(whole), length);
        expect(cut.length).toBeLessThanOrEqual(length);
        const { mentions, links, shown } = slackMarkup(cut);
        expect([mentions, links]).toEqual([[], []]);
        expect(shown).not.toMatch(/\p{Cs}/u);
        const read = shown.slice(0, -1).replaceAll('\u00ad', '');
        if (escaped(whole).length > length)
          expect(whole.replaceAll('\u00ad', '').startsWith(read)).toBe(true);
      }),
    );
  });
});

test("an instant is shown in the reader's zone, with UTC as the fallback", () => {
  const markup = dateMarkup(new Date('2026-11-23T10:00:00.999Z'));
  expect(markup).toBe('<!date^1795428000^{date_short_pretty} {time}|2026-11-23 10:00 UTC>');
  expect(slackMarkup(markup)).toEqual({ mentions: [], links: [], shown: '2026-11-23 10:00 UTC' });
});
