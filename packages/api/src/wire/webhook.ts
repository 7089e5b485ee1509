import type { ChannelBinding, Webhook, WebhookInput, WebhookPatch } from '@posthorn/core';
import { bindingIdSchema, toMs, webhookIdSchema, webhookInputSchema } from '@posthorn/core/schemas';
import { z } from 'zod';

import { nameText, patternText, plainText } from './text.js';
import { wholeFrom } from './whole-number.js';

/*
 * A webhook on the wire: snake_case, instants in ISO 8601. The rules of the fields are defined once, in core.
 */

const { channels } = webhookInputSchema.shape;
const binding = channels.element.shape;
const onlyAfter = binding.onlyAfter.unwrap().shape;

export const webhookName: z.ZodType<string, string> = nameText.meta({
  description: 'For people; need not be unique',
  examples: ['Orders for Acme'],
});

const ignored = z.unknown().optional().meta({ description: 'Accepted, and ignored' });

const windowError = { error: 'must be a duration from a second to 7 days: seconds, or text like `10m`' };
const window = z.union(
  [
    z
      .number()
      .min(1, windowError)
      .max(7 * 24 * 3600, windowError),
    z.string().regex(/^\d{1,9}(\.\d{1,3})?(ms|s|m|h|d)$/, windowError),
  ],
  windowError,
);

/** Examples of all channels of the contract. A test creates them all. */
const channelExamples = [
  {
    channel: 'webhook',
    configs: {
      url: 'https://example.com/hooks',
      headers: { 'x-team': 'orders' },
      timeout: 10,
      method: 'POST',
    },
  },
  {
    channel: 'webhook',
    configs: {
      url: 'https://example.com/hooks',
      payload_template: { text: '{{ event.type }}: {{ metadata.total }}' },
    },
  },
  {
    channel: 'slack',
    configs: {
      webhook_url: 'https://hooks.slack.com/services/T0/B0/x',
      username: 'Orders',
      icon_emoji: ':tada:',
    },
  },
  { channel: 'slack', configs: { bot_token: 'xoxb-0123456789', channel_id: 'C0123456789' } },
  {
    channel: 'email',
    configs: {
      to_addresses: ['ada@example.com'],
      subject_template: '{{ event.type }}',
      body_template: '# {{ event.type }}',
      content_type: 'markdown',
    },
    digest: { window: '10m', max_events: 100 },
  },
  {
    channel: 'sms',
    configs: { phone_numbers: ['+12025550143'], message_template: '{{ event.type }}' },
    only_after: { channel: 'email', failed_attempts: 3 },
  },
];

const channelFields = {
  channel: plainText(binding.channel, 64).meta({ examples: ['webhook', 'slack', 'email', 'sms'] }),
  configs: z.record(z.string(), z.unknown()).meta({
    description: 'The settings of the channel; unknown fields are refused. `***` keeps a stored secret',
    examples: [{ url: 'https://example.com/hooks' }],
  }),
  only_after: z
    .strictObject({ channel: plainText(onlyAfter.channel, 64), failed_attempts: wholeFrom(1, 100) })
    .nullish()
    .meta({
      description: 'Escalation: starts only after that channel has failed this many times, or for good',
    }),
  digest: z
    .strictObject({
      window: window.meta({ description: 'Seconds, or text like `10m`; from a second to 7 days' }),
      max_events: wholeFrom(2, 1_000).nullish().meta({ description: 'Default 100' }),
      max_bytes: wholeFrom(1_024, 16_777_216)
        .nullish()
        .meta({ description: 'The maximum size of all payloads together; default 524288' }),
    })
    .nullish()
    .meta({ description: 'Gathers events during this window and sends them as one message' }),
};
const channelInputSchema = z
  .strictObject(channelFields)
  .meta({ id: 'ChannelInput', examples: channelExamples });
const channelReplacementSchema = z
  .strictObject({
    id: bindingIdSchema.nullish().meta({
      description:
        'Identifies the channel, as `channel_id` of its deliveries does. Default: identified by its position',
    }),
    ...channelFields,
  })
  .meta({ id: 'ChannelReplacement' });

const channelsOf = <Channel extends z.ZodType>(channel: Channel) =>
  z
    .array(channel)
    .min(1, { error: 'must hold at least one channel' })
    .max(50, { error: 'must hold at most 50 channels' })
    .meta({ description: 'An event is sent to all of them' });

const fields = {
  webhook_name: webhookName,
  event_types: z
    .array(patternText)
    .min(1, { error: 'must hold at least one event type or pattern' })
    .max(1_000, { error: 'must hold at most 1000 event types' })
    .meta({
      description: 'Event types or patterns: `order.*` matches `order.placed`, `*` matches everything',
      examples: [['order.*']],
    }),
  is_active: z.boolean().nullish().meta({ description: 'Default true; false pauses the webhook' }),
  internal_id: ignored,
  created_at: ignored,
  updated_at: ignored,
};

export const webhookCreateSchema = z
  .strictObject({
    webhook_id: webhookIdSchema.nullish(),
    ...fields,
    channels: channelsOf(channelInputSchema),
  })
  .meta({ id: 'WebhookInput' });
export const webhookReplaceSchema = z
  .strictObject({
    webhook_id: webhookIdSchema.nullish().meta({ description: 'If given, must be the id in the path' }),
    ...fields,
    channels: channelsOf(channelReplacementSchema),
  })
  .meta({ id: 'WebhookReplacement' });

export const webhookSchema = z
  .object({
    webhook_id: webhookIdSchema,
    webhook_name: z.string(),
    event_types: z.array(z.string()),
    channels: z.array(
      z
        .object({
          channel: z.string(),
          configs: z.record(z.string(), z.unknown()).meta({ description: 'Secrets are masked as `***`' }),
          only_after: z.object({ channel: z.string(), failed_attempts: z.int() }).optional(),
          digest: z
            .object({ window: z.number(), max_events: z.int(), max_bytes: z.int().optional() })
            .optional(),
        })
        .meta({ id: 'Channel' }),
    ),
    is_active: z.boolean(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Webhook' });

/** A webhook as a client reads it. */
export function webhookOf(webhook: Webhook): z.output<typeof webhookSchema> {
  return {
    webhook_id: webhook.id,
    webhook_name: webhook.name,
    event_types: [...webhook.eventTypes],
    channels: webhook.channels.map(channelOf),
    is_active: webhook.isActive,
    created_at: webhook.createdAt.toISOString(),
    updated_at: webhook.updatedAt.toISOString(),
  };
}

function channelOf({ channel, configs, onlyAfter, digest }: ChannelBinding) {
  return {
    channel,
    configs: configs as Record<string, unknown>,
    ...(onlyAfter && {
      only_after: { channel: onlyAfter.channel, failed_attempts: onlyAfter.failedAttempts },
    }),
    ...(digest && {
      digest: {
        window: toMs(digest.window, 'window') / 1000,
        max_events: digest.maxEvents,
        ...(digest.maxBytes !== undefined && { max_bytes: digest.maxBytes }),
      },
    }),
  };
}

/** The webhook for the engine to create. */
export function creationOf(given: z.output<typeof webhookCreateSchema>, tenantId: string): WebhookInput {
  return {
    ...replacementOf(given),
    tenantId,
    ...(given.webhook_id != null && { id: given.webhook_id }),
  } as WebhookInput;
}

/** The change that replaces everything in a webhook that can be changed. */
export function replacementOf(given: z.output<typeof webhookReplaceSchema>): WebhookPatch {
  return {
    name: given.webhook_name,
    eventTypes: given.event_types,
    channels: given.channels.map(({ id, channel, configs, only_after, digest }) => ({
      ...(id != null && { id }),
      channel,
      configs,
      ...(only_after && {
        onlyAfter: { channel: only_after.channel, failedAttempts: only_after.failed_attempts },
      }),
      ...(digest && {
        digest: {
          window: typeof digest.window === 'number' ? digest.window * 1000 : (digest.window as never),
          ...(digest.max_events != null && { maxEvents: digest.max_events }),
          ...(digest.max_bytes != null && { maxBytes: digest.max_bytes }),
        },
      }),
    })),
    isActive: given.is_active ?? true,
  };
}
