import type { WebhookEvent } from '@posthorn/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countOf, cutText, escapeFor, fitting, summaryOf } from '../src/index.js';

const event: WebhookEvent = {
  id: 'evt_0TvKq1aBcDeFgHiJkLmNoP',
  tenantId: 'default',
  type: 'order.created',
  payload: '{}',
  occurredAt: new Date('2026-11-23T10:00:00.123Z'),
  namespaceId: null,
  subject: { type: 'order', id: 'o1' },
  cacheScope: null,
  orderingKey: null,
};

describe('the summary of an event', () => {
  test('contains its type, its subject, and the first fields of its payload', () => {
    const payload = { id: 'o1', total: 1.5, paid: true, note: null, lines: [{ sku: 'a' }], more: 1 };
    expect(summaryOf({ event, payload }, 5)).toEqual({
      title: 'order.created',
      subject: 'order o1',
      fields: [
        { name: 'id', value: 'o1' },
        { name: 'total', value: '1.5' },
        { name: 'paid', value: 'true' },
        { name: 'note', value: 'null' },
        { name: 'lines', value: '[{"sku":"a"}]' },
      ],
      moreFields: 1,
    });
  });

  test.each<[unknown, unknown]>([
    ['text', [{ name: 'payload', value: 'text' }]],
    [null, [{ name: 'payload', value: 'null' }]],
    [7, [{ name: 'payload', value: '7' }]],
    [
      ['a', 'b'],
      [
        { name: '0', value: 'a' },
        { name: '1', value: 'b' },
      ],
    ],
    [{}, []],
    [
      { '': '', ' ': ' ' },
      [
        { name: '""', value: '""' },
        { name: '""', value: '" "' },
      ],
    ],
  ])('of the payload %j contains %j', (payload, fields) => {
    expect(summaryOf({ event: { ...event, subject: null }, payload }, 10)).toMatchObject({
      subject: null,
      fields,
    });
  });

  test('shows control characters, lone surrogates and direction marks', () => {
    const payload = { 'a\nb': 'x\u0000\ud800y\n\tz \u202egnp.exe' };
    expect(summaryOf({ event, payload }, 1).fields).toEqual([
      { name: 'a b', value: 'x\\u0000\ufffdy\n\tz \\u202egnp.exe' },
    ]);
  });

  test('shortens long text of a payload', () => {
    const [field] = summaryOf({ event, payload: { ['n'.repeat(500)]: 'v'.repeat(50_000) } }, 1).fields;
    expect([field!.name.length, field!.value.length]).toEqual([100, 4_000]);
  });

  test('shortens a list or an object, since long JSON is hard to read', () => {
    const list = Array.from({ length: 500 }, (_, i) => i);
    const { fields } = summaryOf({ event, payload: { list, object: { list } } }, 2);
    expect(fields.map(({ value }) => value.length)).toEqual([200, 200]);
    expect(fields[0]!.value).toMatch(/^\[0,1,2,.*…$/);
  });
});

test('text is cut to its length with a mark, never within a character', () => {
  expect(cutText('abc', 3)).toBe('abc');
  expect(cutText('abcd', 3)).toBe('ab…');
  expect(cutText('a😀😀', 3)).toBe('a…');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 20 }), (text, max) => {
      const cut = cutText(text, max);
      expect(cut.length).toBeLessThanOrEqual(max);
      expect(cut).not.toMatch(/\p{Cs}/u);
      expect(text.length <= max ? cut === text : cut.endsWith('…')).toBe(true);
    }),
  );
});

test('fitting returns as many of the first items as there is room for', () => {
  const fit = (room: number) => fitting(['aa', 'b', 'cccc', 'd'], ({ length }) => length, room);
  expect([fit(0), fit(2), fit(6), fit(8)]).toEqual([[], ['aa'], ['aa', 'b'], ['aa', 'b', 'cccc', 'd']]);
});

test('countOf formats the number of events', () => {
  expect([countOf([1]), countOf([1, 2])]).toEqual(['1 event', '2 events']);
});

test('text escaped for Markdown is displayed as written and formats nothing', () => {
  expect(escapeFor('markdown', '[pay](https://evil.example) **now** <@1> @everyone \\ `x`')).toBe(
    '\\[pay\\]\\(https\\://evil.example\\) \\*\\*now\\*\\* \\<\\@1\\> \\@everyone \\\\ \\`x\\`',
  );
});
