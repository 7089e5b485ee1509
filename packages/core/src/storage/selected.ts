import type { Delivery } from '../models/delivery.js';
import type { ChannelBinding } from '../models/webhook.js';
import type { DeliverySelection, EventRange } from './log-port.js';
import type { WebhookFilter, WebhookRecord } from './webhook-store.js';

/** Whether an event id is in the range. */
export const isInRange = (id: string, { fromEventId, beforeEventId }: EventRange): boolean =>
  (fromEventId === undefined || id >= fromEventId) && (beforeEventId === undefined || id < beforeEventId);

/** Whether a delivery matches every given field of the selection. */
export const isSelected = (
  delivery: Pick<Delivery, 'eventId' | 'eventType' | 'webhookId' | 'status'>,
  selection: DeliverySelection,
): boolean =>
  (selection.eventId ?? delivery.eventId) === delivery.eventId &&
  (selection.eventType ?? delivery.eventType) === delivery.eventType &&
  (selection.webhookId ?? delivery.webhookId) === delivery.webhookId &&
  (selection.status === undefined || selection.status.includes(delivery.status)) &&
  isInRange(delivery.eventId, selection);

/** Whether a webhook matches every given field of the filter. */
export const isListed = (
  webhook: Pick<WebhookRecord, 'name' | 'isActive' | 'eventTypes'>,
  { isActive, name, keys }: Pick<WebhookFilter, 'isActive' | 'name' | 'keys'>,
): boolean =>
  (isActive ?? webhook.isActive) === webhook.isActive &&
  (name ?? webhook.name) === webhook.name &&
  (keys === undefined || webhook.eventTypes.some((pattern) => keys.includes(pattern)));

/** The bindings that get a delivery when an event is published. The others wait until one of these fails. */
export const firstBindings = ({ channels }: Pick<WebhookRecord, 'channels'>): readonly ChannelBinding[] =>
  channels.filter(({ onlyAfter }) => onlyAfter === undefined);
