import { type Dispatcher, defineEvents } from '@posthorn/core';
import { z } from 'zod';

export const events = defineEvents({
  'order.placed': z.object({ orderId: z.string(), total: z.number() }),
  'order.cancelled': z.object({ orderId: z.string(), reason: z.string() }),
});

type ShopDispatcher = Dispatcher<never, typeof events>;

/** An application that places orders and notifies its partners of them. */
export function shop(dispatcher: ShopDispatcher) {
  return {
    /** Subscribes a partner to orders, at its own address. */
    async addPartner(name: string, url: string): Promise<void> {
      await dispatcher.webhooks.create({
        name,
        eventTypes: ['order.*'],
        channels: [{ channel: 'webhook', configs: { url } }],
      });
    },

    async placeOrder(orderId: string, total: number): Promise<void> {
      await dispatcher.dispatch('order.placed', { orderId, total }, { idempotencyKey: `placed ${orderId}` });
    },

    async cancelOrder(orderId: string, reason: string): Promise<void> {
      await dispatcher.dispatch('order.cancelled', { orderId, reason });
    },
  };
}
