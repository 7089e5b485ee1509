import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ReadyWebhook, ReadyWebhooks } from '../../src/queue/ready-webhooks.js';

const lane = (tenantId: string, webhookId: string): ReadyWebhook => ({ tenantId, webhookId });
const shares = (
  lanes: ReadyWebhooks,
  limit: number,
  of: (lane: ReadyWebhook) => number = () => 100,
  ofTenant: (tenantId: string) => number = () => 1_000,
) =>
  lanes
    .share(limit, { of, ofTenant })
    .map(({ lane: { tenantId, webhookId }, count }) => [`${tenantId}${webhookId}`, count]);

describe('the known lanes', () => {
  test('take turns: tenants, then the lanes of each', () => {
    const lanes = new ReadyWebhooks();
    for (const one of [lane('a', '1'), lane('a', '2'), lane('a', '3'), lane('b', '1')]) lanes.add(one);
    expect(shares(lanes, 4)).toEqual([
      ['a1', 1],
      ['b1', 2],
      ['a2', 1],
    ]);
    // A tenant that was not served comes first.
    expect(shares(lanes, 1)).toEqual([['a3', 1]]);
  });

  test('give no more than there is room for, and nothing without room', () => {
    const lanes = new ReadyWebhooks();
    lanes.add(lane('a', '1'));
    lanes.add(lane('a', '2'));
    expect(shares(lanes, 10, ({ webhookId }) => (webhookId === '1' ? 0 : 3))).toEqual([['a2', 3]]);
    expect(shares(lanes, 10, () => 0)).toEqual([]);
  });

  test('are dropped one by one', () => {
    const lanes = new ReadyWebhooks();
    lanes.add(lane('a', '1'));
    lanes.add(lane('a', '1'));
    lanes.remove(lane('a', '1'));
    lanes.remove(lane('b', '7'));
    expect(lanes.isEmpty).toBe(true);
    expect(shares(lanes, 3)).toEqual([]);
  });

  test('of one tenant share no more than its room, and leave the rest to others', () => {
    const lanes = new ReadyWebhooks();
    for (const one of [lane('a', '1'), lane('a', '2'), lane('b', '1')]) lanes.add(one);
    const room = (tenantId: string): number => (tenantId === 'a' ? 3 : 100);
    expect(shares(lanes, 10, undefined, room)).toEqual([
      ['a1', 2],
      ['b1', 7],
      ['a2', 1],
    ]);
    expect(lanes.spares([], 10, { of: () => 1, ofTenant: () => 1 }).map(({ lane }) => lane.tenantId)).toEqual(
      expect.arrayContaining(['a', 'b']),
    );
    expect(lanes.spares([], 10, { of: () => 1, ofTenant: () => 1 })).toHaveLength(2);
  });

  test('share a limit completely, and evenly among tenants', () => {
    const some = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 30 })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(
        some,
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 10 }),
        (all, limit, room) => {
          const lanes = new ReadyWebhooks();
          for (const [tenant, webhook] of all) lanes.add(lane(tenant, `${tenant}${webhook}`));
          const known = new Set(all.map(([tenant, webhook]) => `${tenant}${webhook}`));
          const given = lanes.share(limit, { of: () => room, ofTenant: () => 10_000 });
          const total = given.reduce((sum, { count }) => sum + count, 0);
          expect(total).toBe(Math.min(limit, known.size * room));
          for (const { count } of given) expect(count).toBeLessThanOrEqual(room);
          const byTenant = new Map<string, number>();
          for (const { lane: one, count } of given) {
            byTenant.set(one.tenantId, (byTenant.get(one.tenantId) ?? 0) + count);
          }
          const open = [...byTenant].filter(
            ([tenant, count]) => count < [...known].filter((id) => id.startsWith(tenant)).length * room,
          );
          const counts = open.map(([, count]) => count);
          if (counts.length > 1) expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });
});
