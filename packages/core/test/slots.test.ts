import { describe, expect, test } from 'vitest';
import { createIds, deliveryId } from '../src/ids.js';
import type { Claim } from '../src/ports.js';
import { Slots } from '../src/slots.js';

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
    attemptsBefore: 0,
    event,
    webhook: { id: webhookId, tenantId: 'acme', name: 'Orders', secrets: [], channels: [binding] },
    binding,
  };
}

/** Slots with a clock of their own, and a way to let deliveries go through them. */
function slotsWith(concurrency: number, webhookConcurrency: number) {
  let ms = 0;
  const slots = new Slots({ concurrency, webhookConcurrency }, () => ms);
  return {
    slots,
    wait: (passed: number) => {
      ms += passed;
    },
    claim(webhookId: string, count: number): void {
      for (let i = 0; i < count; i++) slots.add(claimOf(webhookId));
    },
    /** Sends and lands up to `count`, of whichever webhook has its turn. */
    land(count: number): void {
      for (let i = 0; i < count; i++) {
        const claim = slots.next();
        if (claim) slots.free(claim);
      }
    },
  };
}

/** What may come back claimed of one webhook's events. */
const ownRoomOf = ({ roomForOwn }: Slots, webhookId: string): number =>
  Math.min(roomForOwn.limit, roomForOwn.webhookLimit - (roomForOwn.inFlight.get(webhookId) ?? 0));

describe('what a process may claim', () => {
  test('is twice what it may send, and of one webhook twice its share, while nothing has landed', () => {
    const { slots, claim } = slotsWith(100, 10);
    expect(slots.room).toMatchObject({ limit: 200, webhookLimit: 20 });
    expect(slots.roomForOwn).toMatchObject({ limit: 200, webhookLimit: 20 });
    claim('wh_a', 20);
    expect(slots.room.limit).toBe(180);
    expect(ownRoomOf(slots, 'wh_a')).toBe(0);
    expect(ownRoomOf(slots, 'wh_b')).toBe(20);
  });

  test('of its own events is more by what their webhook got through in the last second', () => {
    const { slots, wait, claim, land } = slotsWith(100, 10);
    claim('wh_a', 20);
    land(20);
    expect(ownRoomOf(slots, 'wh_a')).toBe(40);
    claim('wh_a', 40);
    expect(ownRoomOf(slots, 'wh_a')).toBe(0);
    expect(ownRoomOf(slots, 'wh_b')).toBe(20);
    wait(1_000);
    expect(ownRoomOf(slots, 'wh_a'), 'still its pace of a moment ago').toBe(0);
    wait(2_000);
    expect(ownRoomOf(slots, 'wh_a'), 'it has become slow').toBe(-20);
  });

  test('of what others published is no less for that surplus, nor more', () => {
    const { slots, claim, land } = slotsWith(100, 10);
    claim('wh_a', 20);
    land(20);
    claim('wh_a', 40);
    expect(slots.room.limit, 'its share counts, its surplus does not').toBe(180);
    expect(slots.room.webhookLimit - slots.room.inFlight.get('wh_a')!).toBe(-20);
    expect(slots.isLow).toBe(true);
    land(40);
    expect(slots.room.limit).toBe(200);
    expect(slots.isEmpty).toBe(true);
  });

  test('never has less room for its own than for what it claims', () => {
    const { slots, wait, claim, land } = slotsWith(4, 2);
    claim('wh_a', 4);
    land(4);
    claim('wh_a', 8);
    wait(5_000);
    expect(slots.roomForOwn.limit).toBe(slots.room.limit);
  });
});

describe('a webhook that has become slow', () => {
  test('gives back what it will not get through, the latest first, and keeps its share', () => {
    const { slots, wait, claim, land } = slotsWith(100, 10);
    claim('wh_a', 20);
    land(20);
    claim('wh_a', 40);
    claim('wh_b', 5);
    expect(slots.takeStuck(), 'while it keeps its pace').toEqual([]);
    wait(3_000);
    const before = slots.waiting().filter(({ webhook }) => webhook.id === 'wh_a');
    expect(slots.takeStuck()).toEqual(before.slice(20));
    expect(slots.waiting()).toHaveLength(25);
    expect(slots.room.limit).toBe(175);
    expect(slots.takeStuck()).toEqual([]);
  });

  test('keeps what is on its way already', () => {
    const { slots, wait, claim, land } = slotsWith(100, 100);
    claim('wh_a', 200);
    land(200);
    claim('wh_a', 300);
    for (let i = 0; i < 100; i++) slots.next();
    wait(3_000);
    expect(slots.takeStuck()).toHaveLength(100);
    expect(slots.waiting()).toHaveLength(100);
  });
});
