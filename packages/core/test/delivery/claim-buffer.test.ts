import { describe, expect, test } from 'vitest';
import { ClaimBuffer } from '../../src/delivery/claim-buffer.js';
import { createIds, deliveryId } from '../../src/models/ids.js';
import type { Claim } from '../../src/storage/ports.js';

const ids = createIds();

function claimOf(webhookId: string): Claim {
  const event = {
    id: ids.event(),
    tenantId: 'acme',
    type: 'order.created',
    payload: '{}',
    occurredAt: new Date(0),
    namespaceId: null,
    subject: null,
    cacheScope: null,
    orderingKey: null,
  };
  const binding = { id: ids.binding(), channel: 'webhook', configs: {} };
  return {
    deliveryId: deliveryId(event.id, binding.id),
    token: 'token',
    attempt: 1,
    attemptsBeforeRetry: 0,
    event,
    webhook: { id: webhookId, tenantId: 'acme', name: 'Orders', secrets: [], channels: [binding] },
    binding,
  };
}

/** Creates a buffer with its own clock, and a way to send deliveries from it. */
function slotsWith(concurrency: number, webhookConcurrency: number) {
  let ms = 0;
  const tenants = { tenantConcurrency: concurrency, defaultTenantConcurrency: concurrency };
  const slots = new ClaimBuffer({ concurrency, webhookConcurrency, ...tenants, soonMs: 1_000 }, () => ms);
  return {
    slots,
    wait: (passed: number) => {
      ms += passed;
    },
    claim(webhookId: string, count: number): void {
      for (let i = 0; i < count; i++) slots.add({ claim: claimOf(webhookId), heldUntil: 0, gapMs: 0 });
    },
    /** Sends and settles up to `count` deliveries, in the order of the buffer. */
    land(count: number): void {
      for (let i = 0; i < count; i++) {
        const held = slots.next();
        if (!held) continue;
        slots.freeSlot(held);
        slots.remove(held);
      }
    },
  };
}

/** How many claims of one webhook may come back with the process's own events. */
const ownRoomOf = ({ prefetchCapacity }: ClaimBuffer, webhookId: string): number =>
  Math.min(
    prefetchCapacity.limit,
    prefetchCapacity.webhookRoom.get(webhookId) ?? prefetchCapacity.webhookLimit,
  );

describe('what a process may claim', () => {
  test('is twice its slots, and of one webhook twice its share; of its own events as many as its slots', () => {
    const { slots, claim } = slotsWith(100, 10);
    expect(slots.capacity).toMatchObject({ limit: 200, webhookLimit: 20 });
    expect(slots.prefetchCapacity).toMatchObject({ limit: 100, webhookLimit: 10 });
    claim('wh_a', 10);
    expect(slots.capacity.limit).toBe(190);
    expect(ownRoomOf(slots, 'wh_a')).toBe(0);
    expect(ownRoomOf(slots, 'wh_b')).toBe(10);
  });

  test('of its own events grows by what their webhook completed in the last second', () => {
    const { slots, wait, claim, land } = slotsWith(100, 10);
    claim('wh_a', 20);
    land(20);
    expect(ownRoomOf(slots, 'wh_a')).toBe(30);
    claim('wh_a', 30);
    expect(ownRoomOf(slots, 'wh_a')).toBe(0);
    expect(ownRoomOf(slots, 'wh_b')).toBe(10);
    wait(1_000);
    expect(ownRoomOf(slots, 'wh_a'), 'the throughput of a moment ago still counts').toBe(0);
    wait(2_000);
    expect(ownRoomOf(slots, 'wh_a'), 'it has become slow').toBe(0);
  });

  test('of events of others is neither smaller nor larger for that surplus', () => {
    const { slots, claim, land } = slotsWith(100, 10);
    claim('wh_a', 20);
    land(20);
    claim('wh_a', 40);
    expect(slots.capacity.limit, 'its share counts, its surplus does not').toBe(180);
    expect(slots.capacity.webhookRoom.get('wh_a')).toBe(0);
    expect(slots.isLow).toBe(true);
    land(40);
    expect(slots.capacity.limit).toBe(200);
    expect(slots.isEmpty).toBe(true);
  });

  test('begins with its claim only where everything in the buffer is sent within a second', () => {
    const { slots, wait, claim, land } = slotsWith(10, 10);
    expect(slots.capacity.isBegun, 'nothing was sent yet').toBe(false);
    claim('wh_a', 20);
    land(20);
    expect(slots.capacity).toMatchObject({ limit: 20, isBegun: true });
    const { webhookLimit, webhookRoom } = slots.capacity;
    expect(
      [webhookLimit, webhookRoom.get('wh_a'), webhookRoom.get('wh_new')],
      'as much as is sent soon',
    ).toEqual([10, 30, undefined]);
    claim('wh_a', 15);
    for (let i = 0; i < 10; i++) slots.next();
    expect(slots.capacity, 'five wait, and five more').toMatchObject({ limit: 5, isBegun: true });
    wait(3_000);
    expect(slots.capacity.isBegun, 'they have become slow').toBe(false);
  });

  test('does not begin with its claim while one webhook holds up its deliveries', () => {
    const { slots, claim, land } = slotsWith(10, 5);
    claim('wh_a', 100);
    land(100);
    claim('wh_slow', 7);
    for (let i = 0; i < 5; i++) slots.next();
    expect(slots.capacity.isBegun).toBe(false);
    expect(slots.prefetchCapacity.isBegun, 'of its own events, only those that are sent soon').toBe(true);
    expect(ownRoomOf(slots, 'wh_slow')).toBe(0);
  });
});

describe('a webhook that has become slow', () => {
  test('releases the claims that it will not reach soon, the latest first, and keeps its share', () => {
    const { slots, wait, claim, land } = slotsWith(100, 10);
    claim('wh_a', 20);
    land(20);
    claim('wh_a', 40);
    claim('wh_b', 5);
    expect(slots.takeExcess(), 'while it keeps its throughput').toEqual([]);
    wait(3_000);
    const before = slots.waiting().filter(({ claim: { webhook } }) => webhook.id === 'wh_a');
    expect(slots.takeExcess()).toEqual(before.slice(20));
    expect(slots.waiting()).toHaveLength(25);
    expect(slots.capacity.limit).toBe(175);
    expect(slots.takeExcess()).toEqual([]);
  });

  test('keeps claims that are in flight', () => {
    const { slots, wait, claim, land } = slotsWith(100, 100);
    claim('wh_a', 200);
    land(200);
    claim('wh_a', 300);
    for (let i = 0; i < 100; i++) slots.next();
    wait(3_000);
    expect(slots.takeExcess()).toHaveLength(100);
    expect(slots.waiting()).toHaveLength(100);
  });
});

describe('a tenant', () => {
  function slotsOf(tenantConcurrency: number, defaultTenantConcurrency: number) {
    const tenants = { tenantConcurrency, defaultTenantConcurrency };
    const limits = { concurrency: 10, webhookConcurrency: 4, ...tenants, soonMs: 1_000 };
    const slots = new ClaimBuffer(limits, () => 0);
    return {
      slots,
      claim(tenantId: string, webhookId: string, count: number): void {
        for (let i = 0; i < count; i++) {
          const claim = claimOf(webhookId);
          slots.add({ claim: { ...claim, webhook: { ...claim.webhook, tenantId } }, heldUntil: 0, gapMs: 0 });
        }
      },
      sendAll(): string[] {
        const sent: string[] = [];
        for (let held = slots.next(); held; held = slots.next()) sent.push(held.claim.webhook.tenantId);
        return sent;
      },
    };
  }

  test('uses no more than its share of the slots, however many webhooks it has', () => {
    const { slots, claim, sendAll } = slotsOf(5, 10);
    for (const webhook of ['wh_a', 'wh_b', 'wh_c']) claim('acme', webhook, 3);
    expect(sendAll()).toEqual(Array(5).fill('acme'));
    claim('globex', 'wh_d', 2);
    expect(sendAll()).toEqual(['globex', 'globex']);
    expect(slots.capacity.tenantLimit).toBe(10);
    expect(slots.capacity.tenantRoom.get('acme')).toBe(1);
  });

  test('gets the next slot when one of its own is free', () => {
    const { slots, claim } = slotsOf(2, 10);
    claim('acme', 'wh_a', 3);
    const [first, second] = [slots.next()!, slots.next()!];
    expect(slots.next()).toBeUndefined();
    slots.freeSlot(first);
    expect(slots.next()).toBeDefined();
    expect(slots.next()).toBeUndefined();
    slots.freeSlot(second);
  });

  test('has all slots where the application names no tenant', () => {
    const { slots, claim, sendAll } = slotsOf(5, 10);
    for (const webhook of ['wh_a', 'wh_b', 'wh_c']) claim('default', webhook, 4);
    expect(sendAll()).toHaveLength(10);
    const { tenantRoom } = slots.capacity;
    expect(tenantRoom.get('default'), 'twenty minus the twelve that it has').toBe(8);
  });

  test('that was full is claimed for again once it has completed a quarter of its share', () => {
    const { slots, claim } = slotsOf(4, 10);
    for (const webhook of ['wh_a', 'wh_b']) claim('acme', webhook, 4);
    const landed = () => {
      const held = slots.next()!;
      slots.freeSlot(held);
      return slots.remove(held);
    };
    expect([landed(), landed()]).toEqual([false, true]);
  });

  test('keeps its count of a claim whose webhook moves to another tenant, and the other tenant is not charged', () => {
    const { slots, claim } = slotsOf(2, 10);
    claim('acme', 'wh_moved', 2);
    const first = slots.next()!;
    claim('globex', 'wh_moved', 3);
    expect(slots.capacity.tenantRoom.get('acme')).toBeUndefined();
    expect(slots.capacity.tenantRoom.get('globex')).toBe(0);
    const second = slots.next()!;
    expect(slots.next(), 'two of globex are being sent').toBeUndefined();
    claim('acme', 'wh_a', 3);
    expect(slots.next()!.claim.webhook.id).toBe('wh_a');
    for (const held of [first, second]) {
      slots.freeSlot(held);
      slots.remove(held);
    }
    expect(slots.capacity.tenantRoom.get('acme')).toBe(1);
    expect(slots.capacity.tenantRoom.get('globex')).toBe(1);
  });
});
