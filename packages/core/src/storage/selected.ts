import type { Delivery } from '../models/delivery.js';
import type { ChannelBinding } from '../models/webhook.js';
import type { DeliverySelection, EventRange } from './log-port.js';
import type { WebhookFilter, WebhookRecord } from './webhook-store.js';

/** Whether an event id lies in the range. */
export const isInRange = (id: string, { fromEventId, beforeEventId }: EventRange): boolean =>
  (fromEventId === undefined || id >= fromEventId) && (beforeEventId === undefined || id < beforeEventId);

/** Whether a delivery fits all that is given. */
export const isSelected = (
  delivery: Pick<Delivery, 'eventId' | 'eventType' | 'webhookId' | 'status'>,
  selection: DeliverySelection,
): boolean =>
  (selection.eventId ?? delivery.eventId) === delivery.eventId &&
  (selection.eventType ?? delivery.eventType) === delivery.eventType &&
  (selection.webhookId ?? delivery.webhookId) === delivery.webhookId &&
  (selection.status === undefined || selection.status.includes(delivery.status)) &&
  isInRange(delivery.eventId, selection);

/** Whether a webhook fits all that is given. */
export const isListed = (
  webhook: Pick<WebhookRecord, 'name' | 'isActive' | 'eventTypes'>,
  { isActive, name, keys }: Pick<WebhookFilter, 'isActive' | 'name' | 'keys'>,
): boolean =>
  (isActive ?? webhook.isActive) === webhook.isActive &&
  (name ?? webhook.name) === webhook.name &&
  (keys === undefined || webhook.eventTypes.some((pattern) => keys.includes(pattern)));

/** The bindings that an event goes to when it is published; the others wait for one of them to fail. */
export const firstBindings = ({ channels }: Pick<WebhookRecord, 'channels'>): readonly ChannelBinding[] =>
  channels.filter(({ onlyAfter }) => onlyAfter === undefined);
