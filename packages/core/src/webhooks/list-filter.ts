import { z } from 'zod';
import { PosthornError } from '../errors.js';
import { matchKeys, type PatternOf, parsePattern } from '../matching.js';
import { defaultTenant, type TenantOption } from '../models/fields.js';
import { webhookSchema } from '../models/webhook.js';
import { type PageQuery, pageQuery } from '../storage/page.js';
import type { WebhookFilter } from '../storage/webhook-store.js';
import { omitUndefined, parse, parseOptions } from '../validation.js';

/** Selects the webhooks that match every given field. */
export interface WebhookListOptions<EventType extends string = string>
  extends TenantOption,
    Partial<PageQuery> {
  /** True: only active webhooks. False: only paused ones. Default: both. */
  readonly isActive?: boolean;
  /** Those that get events of this type. Not together with `pattern`. */
  readonly eventType?: EventType;
  /** Those with exactly this pattern or event type. */
  readonly pattern?: PatternOf<EventType>;
  /** The exact name. */
  readonly name?: string;
  /** How many to skip, 0 to 10,000. Use the cursor for later pages. Default 0. */
  readonly offset?: number;
  /** Whether the page has a `total`: the number of webhooks on all pages. Default false. */
  readonly withTotal?: boolean;
}

const known = [
  ...(['tenantId', 'isActive', 'eventType', 'pattern', 'name', 'offset'] as const),
  ...(['withTotal', 'limit', 'cursor'] as const),
];

const fieldsSchema = webhookSchema
  .pick({ isActive: true, name: true })
  .extend({ offset: z.int().min(0).max(10_000), withTotal: z.boolean() })
  .partial();

/** Checks the options of `webhooks.list`. Throws `invalid_option`, `invalid_event_type` or `invalid_pattern`. */
export function webhookFilter(options: WebhookListOptions | undefined): {
  readonly tenantId: string;
  readonly filter: WebhookFilter;
} {
  const given = parseOptions(options, known, 'webhooks.list');
  const { tenantId = defaultTenant, eventType, pattern, isActive, name, offset, withTotal } = given;
  const fields = omitUndefined({ isActive, name, offset, withTotal });
  parse(fieldsSchema, fields, 'invalid_option', 'options of webhooks.list');
  if (eventType !== undefined && pattern !== undefined) {
    throw new PosthornError('invalid_option', 'webhooks.list takes an eventType or a pattern, not both');
  }
  const keys = keysOf(eventType, pattern);
  return { tenantId, filter: Object.assign(omitUndefined({ ...fields, keys }), pageQuery(given)) };
}

function keysOf(eventType: string | undefined, pattern: string | undefined): string[] | undefined {
  if (pattern !== undefined) return [parsePattern(pattern)];
  return eventType === undefined ? undefined : matchKeys(eventType);
}
