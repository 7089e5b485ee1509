import { z } from 'zod';
import { grammarFault } from '../match.js';

/*
 * The fields that several models share, each with the message of its issue: what was expected.
 */

/** The tenant of an application that has only one. */
export const defaultTenant = 'default';

/** Names the tenant whose data a call sees and changes. */
export interface TenantOption {
  /** 1 to 200 characters, without control characters. Default: {@link defaultTenant}. */
  readonly tenantId?: string;
}

/** A schema for one of these texts. Its issue lists them. */
export const oneOf = <const Values extends readonly [string, ...string[]]>(
  values: Values,
): z.ZodEnum<{ [Value in Values[number]]: Value }> =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` });

const id = (prefix: string, length: number): z.ZodString =>
  z.string().regex(new RegExp(`^${prefix}_[0-9A-Za-z]{${length}}$`), {
    error: `must be ${prefix}_ and ${length} letters or digits`,
  });

/** Text of 1 to `max` code points that every database can store. */
export const text = (max: number): z.ZodString =>
  z
    .string()
    .refine((value) => value.length > 0 && (value.length <= max || [...value].length <= max), {
      error: `must have 1 to ${max} characters`,
    })
    .refine((value) => !/[\p{Cc}\p{Cs}]/u.test(value), { error: 'must not hold control characters' });

export const pattern: z.ZodString = z.string().superRefine((value, context) => {
  const fault = grammarFault(value, true);
  if (fault) context.addIssue({ code: 'custom', message: fault });
});

export const eventType: z.ZodString = z.string().superRefine((value, context) => {
  const fault = grammarFault(value, false);
  if (fault) context.addIssue({ code: 'custom', message: fault });
});

/** `wh_` and 10 letters or digits. */
export const webhookIdSchema: z.ZodString = id('wh', 10);
/** `ch_` and 10 letters or digits: the id of a channel binding. */
export const bindingIdSchema: z.ZodString = id('ch', 10);
/** `evt_` and 22 letters or digits. */
export const eventIdSchema: z.ZodString = id('evt', 22);
/** `dlv_` and 32 letters or digits: the event's 22 and the binding's 10. */
export const deliveryIdSchema: z.ZodString = id('dlv', 32);
/** `att_` and 22 letters or digits. */
export const attemptIdSchema: z.ZodString = id('att', 22);
/** `key_` and 10 letters or digits. */
export const apiKeyIdSchema: z.ZodString = id('key', 10);
/** 1 to 200 characters, without control characters. */
export const tenantIdSchema: z.ZodString = text(200);
/** The name of a webhook or an API key, for people: 1 to 200 characters. */
export const nameSchema: z.ZodString = text(200);
