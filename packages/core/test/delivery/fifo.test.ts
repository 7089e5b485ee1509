import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fifo } from '../../src/delivery/fifo.js';

interface Item {
  readonly n: number;
}

const step = fc.oneof(
  fc.record({ do: fc.constant('push' as const), n: fc.integer({ min: 1, max: 200 }) }),
  fc.record({ do: fc.constant('shift' as const), n: fc.integer({ min: 1, max: 200 }) }),
  fc.record({ do: fc.constant('takeLast' as const), n: fc.integer({ min: 0, max: 200 }) }),
  fc.record({ do: fc.constant('remove' as const), n: fc.nat(400) }),
);

test('a fifo behaves like an array', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const fifo = new Fifo<Item>();
      let model: Item[] = [];
      let made = 0;
      for (const { do: what, n } of steps) {
        if (what === 'push') {
          const items = Array.from({ length: n }, () => ({ n: made++ }));
          for (const item of items) fifo.push(item);
          model.push(...items);
        } else if (what === 'shift') {
          for (let i = 0; i < n; i++) expect(fifo.shift()).toBe(model.shift());
        } else if (what === 'takeLast') {
          expect(fifo.takeLast(n)).toEqual(n === 0 ? [] : model.slice(-n));
          model = n === 0 ? model : model.slice(0, -n);
        } else {
          const item = model[n] ?? { n: -1 };
          expect(fifo.remove(item)).toBe(model.includes(item));
          model = model.filter((each) => each !== item);
        }
        expect(fifo.length).toBe(model.length);
        expect(fifo.first).toBe(model[0]);
        expect([...fifo]).toEqual(model);
      }
    }),
  );
});

test.each([
  ['taking', (fifo: Fifo<Item>) => fifo.shift() !== undefined],
  ['removing', (fifo: Fifo<Item>) => fifo.remove(fifo.first ?? { n: -1 })],
])('%s a hundred thousand items, one after the other, costs no more per item than a thousand', (_, take) => {
  const timeOf = (count: number): number => {
    const fifo = new Fifo<Item>();
    for (let n = 0; n < count; n++) fifo.push({ n });
    const begin = performance.now();
    while (take(fifo));
    return (performance.now() - begin) / count;
  };
  timeOf(1_000);
  const few = Math.min(...Array.from({ length: 5 }, () => timeOf(1_000)));
  const many = Math.min(...Array.from({ length: 5 }, () => timeOf(100_000)));
  expect(many).toBeLessThan(20 * few + 0.001);
});
