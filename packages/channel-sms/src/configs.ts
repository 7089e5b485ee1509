import { type Channel, configsSchema } from '@posthorn/core';
import { templateField } from '@posthorn/template';
import { z } from 'zod';
import { phoneNumber } from './phone-numbers.js';

/** The configs of an `sms` channel, named as on the wire. Optional fields may be null. */
export interface SmsConfigs {
  /** Whom to text: E.164 (`+` and 7 to 15 digits, the first not 0), 1 to 50 of them; one that is there twice is texted once. */
  readonly phone_numbers: readonly string[];
  /** What to text, in the language of `@posthorn/template`. Default: the event's type and subject. */
  readonly message_template?: string | null | undefined;
}

const maxNumbers = 50;

/** The schema that judges configs when a webhook is saved; every issue names its field, none quotes a value. */
export const smsConfigs: Channel<SmsConfigs>['config'] = configsSchema('sms', {
  phone_numbers: z
    .array(
      z.string({ error: 'must be a string' }).regex(phoneNumber, {
        error: 'must be an E.164 number: + and 7 to 15 digits, the first not 0, without spaces',
      }),
      { error: 'must be an array of phone numbers' },
    )
    .min(1, { error: 'must hold at least one phone number' })
    .max(maxNumbers, { error: `must hold at most ${maxNumbers} phone numbers` }),
  message_template: templateField('plain').nullish(),
});
