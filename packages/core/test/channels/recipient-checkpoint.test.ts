import fc from 'fast-check';
import { expect, test } from 'vitest';
import { recipientsCheckpoint, settledRecipients } from '../../src/channels/recipient-checkpoint.js';
import { deliveryId, digestId } from '../../src/models/ids.js';

const named = { deliveryId: 'dlv_0TvKq1aBcDeFgHiJkLmNoPabcdefghij' };

test('a checkpoint identifies the recipients that are delivered or rejected, and no others', () => {
  const checkpoint = recipientsCheckpoint(
    named,
    new Map([
      ['ada', null],
      ['bob', 'no such\nuser'],
    ]),
  );
  expect([...settledRecipients({ ...named, ...checkpoint }, ['bob', 'eve', 'ada'])]).toEqual([
    ['bob', 'no such user'],
    ['ada', null],
  ]);
  expect(settledRecipients({ deliveryId: 'dlv_another', ...checkpoint }, ['ada', 'bob']).size).toBe(0);
});

test('the checkpoint of a digest is given to each of its deliveries, which are sent alone on a manual retry', () => {
  const [event, other] = ['evt_0TvKq1aBcDeFgHiJkLmNoP', 'evt_0TvKq1aBcDeFgHiJkLmNoQ'];
  const checkpoint = recipientsCheckpoint(
    { deliveryId: digestId(event!, 'ch_abcdefghij') },
    new Map([['ada', null]]),
  );
  for (const eventId of [event!, other!]) {
    const own = { deliveryId: deliveryId(eventId, 'ch_abcdefghij'), ...checkpoint };
    expect([...settledRecipients(own, ['ada', 'bob'])]).toEqual([['ada', null]]);
    const elsewhere = { deliveryId: deliveryId(eventId, 'ch_0123456789'), ...checkpoint };
    expect(settledRecipients(elsewhere, ['ada', 'bob']).size).toBe(0);
  }
});

test('no recipients leave no checkpoint', () => {
  expect(recipientsCheckpoint(named, new Map())).toEqual({});
});

test.each([undefined, '', 'null', '5', '[]', '{"', '{"__proto__":null}', '{"toString":null}'])(
  'an unreadable checkpoint is ignored: %j',
  (checkpoint) => {
    const none = settledRecipients({ ...named, ...(checkpoint !== undefined && { checkpoint }) }, [
      'ada',
      'toString',
    ]);
    expect(none.size).toBe(0);
  },
);

test('a checkpoint of 70 recipients stays within the limit, whatever their results, and names none of them', () => {
  const worst = fc.constantFrom('"', '\\', '\0', '\x1f', '\x7f', '\u2028', '\ud800', '😀', '\n');
  const reason = fc.array(worst, { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(reason, { minLength: 1, maxLength: 5 }), (reasons) => {
      const reasonOf = (i: number) => reasons[i % reasons.length]!.join('').repeat(150);
      const settled = new Map(Array.from({ length: 70 }, (_, i) => [`+49151${10_000_000 + i}`, reasonOf(i)]));
      const { checkpoint } = recipientsCheckpoint(named, settled);
      expect(checkpoint!.length).toBeLessThanOrEqual(16 * 1024);
      expect(checkpoint).not.toContain('49151');
      expect(settledRecipients({ ...named, checkpoint: checkpoint! }, [...settled.keys()]).size).toBe(70);
    }),
  );
});
