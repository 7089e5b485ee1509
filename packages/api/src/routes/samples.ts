import { rawJson, type Sample } from '@posthorn/core';
import { failureKindSchema } from '@posthorn/core/channel';
import { outcomeSchema } from '@posthorn/core/schemas';
import { z } from 'zod';
import { memberText } from '../member-text.js';
import { type Call, type Route, route } from '../route.js';
import { eventTypeText } from '../wire/text.js';

const sampleSchema = z
  .strictObject({
    event_type: eventTypeText.nullish().meta({ description: 'Default `webhook.test`' }),
    metadata: z.unknown().optional().meta({ description: 'The payload; default `{"test": true}`' }),
  })
  .optional()
  .meta({ id: 'Sample' });

/** The tenant, and the sample event. */
function sampleOf(
  call: Call<unknown, z.output<typeof sampleSchema>>,
): Sample & { readonly tenantId: string } {
  const { tenantId, body, bodyText } = call;
  const payload = body && memberText(bodyText!, 'metadata');
  return {
    tenantId,
    ...(body?.event_type != null && { type: body.event_type }),
    ...(payload !== undefined && { payload: rawJson(payload) }),
  };
}

/** The calls that try a webhook with a sample event. */
export const sampleRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/webhooks/{webhook_id}/test',
    id: 'testWebhook',
    summary: 'Send a sample event to each channel of a webhook, immediately',
    description:
      'The sample is not stored and not retried. It is sent even while the webhook is paused. Limited to a few calls a second.',
    scopes: ['webhooks:write'],
    isSending: true,
    body: sampleSchema,
    success: {
      status: 200,
      description: 'The result of each channel',
      schema: z.object({
        results: z.array(
          z
            .object({
              channel_id: z.string(),
              channel: z.string(),
              outcome: outcomeSchema,
              kind: failureKindSchema.nullable(),
              message: z.string().nullable(),
              status_code: z.int().nullable(),
              response: z.string().nullable(),
            })
            .meta({ id: 'SampleResult' }),
        ),
      }),
    },
    errors: [404],
    async handle(call) {
      const results = await call.dispatcher.webhooks.test(call.params.webhook_id!, sampleOf(call));
      return {
        status: 200,
        body: {
          results: results.map(({ bindingId, channel, verdict }) => ({
            channel_id: bindingId,
            channel,
            outcome: verdict.outcome,
            kind: 'kind' in verdict ? verdict.kind : null,
            message: 'message' in verdict ? verdict.message : null,
            status_code: verdict.status ?? null,
            response: verdict.response ?? null,
          })),
        },
      };
    },
  }),

  route({
    method: 'POST',
    path: '/webhooks/{webhook_id}/preview',
    id: 'previewWebhook',
    summary: 'Preview a sample event in each channel of a webhook',
    description: 'Nothing is sent, and the preview contains no secrets.',
    scopes: ['webhooks:read'],
    body: sampleSchema,
    success: {
      status: 200,
      description: 'What would be sent, by channel',
      schema: z.object({
        results: z.array(
          z
            .object({
              channel_id: z.string(),
              channel: z.string(),
              parts: z
                .array(z.object({ name: z.string(), type: z.string(), text: z.string() }))
                .nullable()
                .meta({ description: 'Null if it cannot be rendered, or if there is nothing to show' }),
              reason: z.string().nullable().meta({ description: 'Why it cannot be rendered' }),
            })
            .meta({ id: 'Preview' }),
        ),
      }),
    },
    errors: [404],
    async handle(call) {
      const previews = await call.dispatcher.webhooks.preview(call.params.webhook_id!, sampleOf(call));
      return {
        status: 200,
        body: {
          results: previews.map(({ bindingId, channel, parts, reason }) => ({
            channel_id: bindingId,
            channel,
            parts,
            reason,
          })),
        },
      };
    },
  }),
];
