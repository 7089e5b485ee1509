import type { Channel } from '@posthorn/core';
import { checkedText, configsSchema } from '@posthorn/core/channel';
import { templateField } from '@posthorn/template';
import { z } from 'zod';
import { parseAddress } from './address.js';
import { contentTypeOf, parseBody, type Templates } from './templates.js';

/**
 * The configs of an `email` channel, with the field names of the REST API. Optional fields may be null. At most 50
 * recipients in total.
 */
export interface EmailConfigs extends Templates {
  /** Each is one mailbox, `name@example.com`. The REST API also accepts `recipients`, another name for this field. */
  readonly to_addresses: readonly string[];
  /** Visible to all recipients. */
  readonly cc_addresses?: readonly string[] | null | undefined;
  /** Hidden from all recipients. */
  readonly bcc_addresses?: readonly string[] | null | undefined;
}

const maxRecipients = 50;

const isRequired = 'is required: a list of addresses';

const address = z.string({ error: 'must be a string' }).superRefine((text, context) => {
  const { fault } = parseAddress(text);
  if (fault) context.addIssue(fault);
});

const addresses = z
  .array(address, { error: 'must be a list of addresses' })
  .max(maxRecipients, { error: `must hold at most ${maxRecipients} addresses` });

/** The schema that validates configs when a webhook is saved. Every issue has the path of its field. */
export const emailConfigs: Channel<EmailConfigs>['config'] = configsSchema('email', {
  to_addresses: addresses.nullish(),
  recipients: addresses.nullish(),
  cc_addresses: addresses.nullish(),
  bcc_addresses: addresses.nullish(),
  subject_template: templateField('header').nullish(),
  body_template: z.string({ error: 'must be a string' }).nullish(),
  content_type: z
    .enum(['plain_text', 'html', 'markdown', 'json'], {
      error: 'must be plain_text, html, markdown or json',
    })
    .nullish(),
}).transform(async ({ recipients, ...configs }, context): Promise<EmailConfigs> => {
  const { to_addresses: to = null, cc_addresses: cc, bcc_addresses: bcc, body_template: body } = configs;
  const refuse = (path: PropertyKey[], message: string) =>
    context.addIssue({ code: 'custom', path, message });
  if (to && recipients) refuse(['recipients'], 'is another name for to_addresses: use only one of them');
  const all = to ?? recipients ?? [];
  if (all.length === 0) refuse(['to_addresses'], isRequired);
  if (all.length + (cc?.length ?? 0) + (bcc?.length ?? 0) > maxRecipients) {
    refuse(['to_addresses'], `must hold at most ${maxRecipients} addresses, including those of cc and bcc`);
  }
  const ofBody = checkedText((source) => parseBody(source, contentTypeOf(configs))).nullish();
  const { error } = await ofBody.safeParseAsync(body);
  for (const { path, message } of error?.issues ?? []) refuse(['body_template', ...path], message);
  return { ...configs, to_addresses: all };
}) as z.ZodType<EmailConfigs, EmailConfigs>;
