import type { Channel } from '@posthorn/core';
import { configsSchema } from '@posthorn/core/channel';
import { templateField } from '@posthorn/template';
import { z } from 'zod';
import { phoneNumber } from './phone-numbers.js';

/** The configs of an `sms` channel, with the field names of the REST API. Optional fields may be null. */
export interface SmsConfigs {
  /**
   * The recipients: 1 to 50 numbers in E.164 (`+` and 7 to 15 digits, the first not 0). A repeated number is texted
   * once.
   */
  readonly phone_numbers: readonly string[];
  /**
   * A template of `@posthorn/template` for the text. Default: the event's type, subject and time, and the webhook's
   * name.
   */
  readonly message_template?: string | null | undefined;
}

const maxNumbers = 50;

/**
 * The schema that validates configs when a webhook is saved. Issues have the path of the field and never quote a value.
 */
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
