import {
  attemptIdSchema,
  bindingIdSchema,
  deliveryIdSchema,
  eventIdSchema,
  webhookIdSchema,
} from '@posthorn/core/schemas';
import { createIds, deliveryId, firstEventId, parseDeliveryId } from '@posthorn/core/storage';
import { expect, test } from 'vitest';

const ids = createIds();

test('each id has the form that its schema requires', () => {
  expect(webhookIdSchema.parse(ids.webhook())).toMatch(/^wh_[a-zA-Z0-9]{10}$/);
  expect(eventIdSchema.parse(ids.event())).toMatch(/^evt_/);
  expect(attemptIdSchema.parse(ids.attempt())).toMatch(/^att_/);
  expect(bindingIdSchema.parse(ids.binding())).toMatch(/^ch_/);
});

test('every letter and digit is equally likely: bytes that would favour some are discarded', () => {
  const counts = new Map<string, number>();
  const rounds = 62_000;
  for (let i = 0; i < rounds; i++) {
    for (const letter of ids.webhook().slice(3)) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  }
  expect(counts.size).toBe(62);
  const expected = (rounds * 10) / 62;
  const chiSquare = [...counts.values()].reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
  // With 61 degrees of freedom, this exceeds 120 once in a hundred thousand runs. With `byte % 62` it is in the
  // thousands.
  expect(chiSquare).toBeLessThan(120);
});

test('a source that yields every byte value in turn gives every letter four times', () => {
  let next = 0;
  const cyclic = createIds({
    fill(buffer) {
      for (let i = 0; i < buffer.length; i++) buffer[i] = next++;
    },
  });
  const letters = Array.from({ length: 248 / 8 }, () => cyclic.webhook().slice(3))
    .join('')
    .slice(0, 248);
  const counts = new Map<string, number>();
  for (const letter of letters) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  expect([...counts.values()]).toEqual(Array(62).fill(4));
});

test('a hundred thousand ids are all different', () => {
  expect(new Set(Array.from({ length: 100_000 }, () => ids.event())).size).toBe(100_000);
});

test('event ids sort by the millisecond in which they were created', () => {
  let time = 0;
  const timed = createIds({ now: () => time });
  const made = [0, 1, 61, 62, 3_843, 3_844, Date.UTC(2026, 0), Date.UTC(2026, 0) + 1, Date.UTC(9999, 0)].map(
    (at) => {
      time = at;
      return timed.event();
    },
  );
  expect([...made].sort()).toEqual(made);
});

test('a delivery id names its event and its binding', () => {
  const eventId = ids.event();
  const bindingId = ids.binding();
  const id = deliveryId(eventId, bindingId);
  expect(deliveryIdSchema.parse(id)).toBe(id);
  expect(parseDeliveryId(id)).toEqual({ eventId, bindingId });
  for (const other of ['', 'dlv_', eventId, `${id}x`, `${id}\n`, `dlv_${'!'.repeat(32)}`])
    expect(parseDeliveryId(other)).toBeUndefined();
});

test.each<[unknown]>([[undefined], [null], [5], [{}], [{ toString: '' }], [['dlv_']]])(
  '%j is not a delivery id',
  (id) => {
    expect(parseDeliveryId(id as never)).toBeUndefined();
  },
);

test('the first id of a time sorts before every id of that time and after every earlier one', () => {
  const at = (ms: number) => createIds({ now: () => ms }).event();
  const now = 1_764_000_000_000;
  expect(firstEventId(now) <= at(now)).toBe(true);
  expect(firstEventId(now) > at(now - 1)).toBe(true);
  for (const early of [-1, -8.64e15, Number.NEGATIVE_INFINITY])
    expect(firstEventId(early) <= at(0)).toBe(true);
  for (const late of [62 ** 8, 8.64e15, Number.POSITIVE_INFINITY])
    expect(firstEventId(late) > at(now)).toBe(true);
});
