import { type Channel, checkedText, configsSchema } from '@posthorn/core';
import { templateField } from '@posthorn/template';
import { z } from 'zod';
import { parseAddress } from './address.js';
import { contentTypeOf, parseBody, type Templates } from './templates.js';

/** The configs of an `email` channel, named as on the wire. Optional fields may be null; at most 50 recipients in all. */
export interface EmailConfigs extends Templates {
  /** One mailbox each, `name@example.com`. `recipients` is read as another name for it. */
  readonly to_addresses: readonly string[];
  /** Shown to everybody. */
  readonly cc_addresses?: readonly string[] | null | undefined;
  /** Shown to nobody. */
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

/** The schema that judges configs when a webhook is saved; every issue names its field. */
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
  if (to && recipients) refuse(['recipients'], 'is another name for to_addresses: say one of them');
  const all = to ?? recipients ?? [];
  if (all.length === 0) refuse(['to_addresses'], isRequired);
  if (all.length + (cc?.length ?? 0) + (bcc?.length ?? 0) > maxRecipients) {
    refuse(['to_addresses'], `must hold at most ${maxRecipients} addresses, those of cc and bcc counted in`);
  }
  const ofBody = checkedText((source) => parseBody(source, contentTypeOf(configs))).nullish();
  const { error } = await ofBody.safeParseAsync(body);
  for (const { path, message } of error?.issues ?? []) refuse(['body_template', ...path], message);
  return { ...configs, to_addresses: all };
});
