import { z } from 'zod';
import { type DeliveryStatus, deliverySchema, deliveryStatusSchema } from '../models/delivery.js';
import type { DeliverySelection } from '../storage/log-port.js';
import { omitUndefined, parse } from '../validation.js';
import { eventRange, type TimeRange } from './time-range.js';

/** Selects the deliveries that match every given field. */
export interface SelectionOptions<EventType extends string = string> extends TimeRange {
  /** Those of this event. */
  readonly eventId?: string;
  /** The exact event type; not a pattern. */
  readonly eventType?: EventType;
  /** Those of this webhook. */
  readonly webhookId?: string;
}

/** The names of {@link SelectionOptions}. */
export const selectionOptions = ['eventId', 'eventType', 'webhookId', 'from', 'to'] as const;

const fieldsSchema = deliverySchema
  .pick({ eventId: true, eventType: true, webhookId: true })
  .extend({ status: z.array(deliveryStatusSchema) })
  .partial();

/** Checks the options of the call `what`, and returns them as a selection for the storage. Throws `invalid_option`. */
export function parseSelection(
  options: SelectionOptions & { readonly status?: readonly DeliveryStatus[] },
  what: string,
): DeliverySelection {
  const { eventId, eventType, webhookId, status, from, to } = omitUndefined(options);
  const fields = omitUndefined({ eventId, eventType, webhookId, status });
  parse(fieldsSchema, fields, 'invalid_option', `options of ${what}`);
  return omitUndefined({ ...fields, ...eventRange(omitUndefined({ from, to })) });
}
