import { z } from 'zod';
import { givenOf, optionsOf, parse } from '../door.js';
import { PosthornError } from '../errors.js';
import { matchKeys, parsePattern } from '../match.js';
import { defaultTenant, type TenantOption } from '../models/fields.js';
import { webhookSchema } from '../models/webhook.js';
import { type PageQuery, pageQuery } from '../storage/page.js';
import type { WebhookFilter } from '../storage/webhook-store.js';

export interface WebhookListOptions extends TenantOption, Partial<PageQuery> {
  readonly isActive?: boolean;
  /** Those that an event of this type goes to. */
  readonly eventType?: string;
  /** Those that hold this very pattern or event type. */
  readonly pattern?: string;
  /** Those of this very name. */
  readonly name?: string;
  /** Passes over so many first, up to 10,000; beyond that, go on by the cursor. Default 0. */
  readonly offset?: number;
  /** Asks for the page's `total`: how many there are on all pages. Default false. */
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

/** Whose webhooks, and which. Throws `invalid_option`, `invalid_event_type` and `invalid_pattern`. */
export function webhookFilter(options: WebhookListOptions | undefined): {
  readonly tenantId: string;
  readonly filter: WebhookFilter;
} {
  const given = optionsOf(options, known, 'webhooks.list');
  const { tenantId = defaultTenant, eventType, pattern, isActive, name, offset, withTotal } = given;
  const fields = givenOf({ isActive, name, offset, withTotal });
  parse(fieldsSchema, fields, 'invalid_option', 'options of webhooks.list');
  if (eventType !== undefined && pattern !== undefined) {
    throw new PosthornError('invalid_option', 'webhooks.list takes an eventType or a pattern, not both');
  }
  const keys = keysOf(eventType, pattern);
  return { tenantId, filter: Object.assign(givenOf({ ...fields, keys }), pageQuery(given)) };
}

function keysOf(eventType: string | undefined, pattern: string | undefined): string[] | undefined {
  if (pattern !== undefined) return [parsePattern(pattern)];
  return eventType === undefined ? undefined : matchKeys(eventType);
}
