import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deliveryId, digestId, recipientsMemo, settledRecipients } from '../../src/index.js';

const named = { deliveryId: 'dlv_0TvKq1aBcDeFgHiJkLmNoPabcdefghij' };

test('a memo identifies the recipients that are delivered or rejected, and no others', () => {
  const memo = recipientsMemo(
    named,
    new Map([
      ['ada', null],
      ['bob', 'no such\nuser'],
    ]),
  );
  expect([...settledRecipients({ ...named, ...memo }, ['bob', 'eve', 'ada'])]).toEqual([
    ['bob', 'no such user'],
    ['ada', null],
  ]);
  expect(settledRecipients({ deliveryId: 'dlv_another', ...memo }, ['ada', 'bob']).size).toBe(0);
});

test('the memo of a digest is given to each of its deliveries, which are sent alone on a manual retry', () => {
  const [event, other] = ['evt_0TvKq1aBcDeFgHiJkLmNoP', 'evt_0TvKq1aBcDeFgHiJkLmNoQ'];
  const memo = recipientsMemo({ deliveryId: digestId(event!, 'ch_abcdefghij') }, new Map([['ada', null]]));
  for (const eventId of [event!, other!]) {
    const own = { deliveryId: deliveryId(eventId, 'ch_abcdefghij'), ...memo };
    expect([...settledRecipients(own, ['ada', 'bob'])]).toEqual([['ada', null]]);
    const elsewhere = { deliveryId: deliveryId(eventId, 'ch_0123456789'), ...memo };
    expect(settledRecipients(elsewhere, ['ada', 'bob']).size).toBe(0);
  }
});

test('no recipients leave no memo', () => {
  expect(recipientsMemo(named, new Map())).toEqual({});
});

test.each([undefined, '', 'null', '5', '[]', '{"', '{"__proto__":null}', '{"toString":null}'])(
  'an unreadable memo is ignored: %j',
  (memo) => {
    const none = settledRecipients({ ...named, ...(memo !== undefined && { memo }) }, ['ada', 'toString']);
    expect(none.size).toBe(0);
  },
);

test('a memo of 70 recipients stays within the limit, whatever their results, and names none of them', () => {
  const worst = fc.constantFrom('"', '\\', '\0', '\x1f', '\x7f', '\u2028', '\ud800', '😀', '\n');
  const reason = fc.array(worst, { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(reason, { minLength: 1, maxLength: 5 }), (reasons) => {
      const reasonOf = (i: number) => reasons[i % reasons.length]!.join('').repeat(150);
      const settled = new Map(Array.from({ length: 70 }, (_, i) => [`+49151${10_000_000 + i}`, reasonOf(i)]));
      const { memo } = recipientsMemo(named, settled);
      expect(memo!.length).toBeLessThanOrEqual(16 * 1024);
      expect(memo).not.toContain('49151');
      expect(settledRecipients({ ...named, memo: memo! }, [...settled.keys()]).size).toBe(70);
    }),
  );
});
