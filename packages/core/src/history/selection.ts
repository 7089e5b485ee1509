import { z } from 'zod';
import { givenOf, parse } from '../door.js';
import { type DeliveryStatus, deliverySchema, deliveryStatusSchema } from '../models/delivery.js';
import type { DeliverySelection } from '../storage/log-port.js';
import { eventRange, type TimeRange } from './time-range.js';

/** Which deliveries: those that fit all that is given. */
export interface SelectionOptions extends TimeRange {
  readonly eventId?: string;
  /** The very type: no pattern. */
  readonly eventType?: string;
  readonly webhookId?: string;
}

export const selectionOptions = ['eventId', 'eventType', 'webhookId', 'from', 'to'] as const;

const fieldsSchema = deliverySchema
  .pick({ eventId: true, eventType: true, webhookId: true })
  .extend({ status: z.array(deliveryStatusSchema) })
  .partial();

/** What `options` of `what` say, as the storage takes it. Throws `invalid_option`. */
export function selectionOf(
  options: SelectionOptions & { readonly status?: readonly DeliveryStatus[] },
  what: string,
): DeliverySelection {
  const { eventId, eventType, webhookId, status, from, to } = givenOf(options);
  const fields = givenOf({ eventId, eventType, webhookId, status });
  parse(fieldsSchema, fields, 'invalid_option', `options of ${what}`);
  return givenOf({ ...fields, ...eventRange(givenOf({ from, to })) });
}
