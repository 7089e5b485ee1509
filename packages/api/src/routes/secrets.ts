import { z } from 'zod';
import { type Route, route } from '../route.js';

const secretSchema = z
  .object({ secret: z.string().meta({ description: '`whsec_…` or `whsk_…`: give it to whoever verifies' }) })
  .meta({ id: 'Secret' });
const aDay = 24 * 3600;

/** The two calls that show a secret. */
export const secretRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/webhooks/{webhook_id}/secret',
    id: 'getWebhookSecret',
    summary: 'Read the secret that signs now',
    scopes: ['secrets:read'],
    success: { status: 200, description: 'The secret', schema: secretSchema },
    errors: [404],
    handle: async ({ dispatcher, tenantId, params }) => ({
      status: 200,
      body: { secret: await dispatcher.webhooks.revealSecret(params.webhook_id!, { tenantId }) },
    }),
  }),

  route({
    method: 'POST',
    path: '/webhooks/{webhook_id}/rotate-secret',
    id: 'rotateWebhookSecret',
    summary: 'Put a new secret in the place of the present one',
    description:
      'The present one signs beside it until the overlap is over, so that receivers can change over.',
    scopes: ['webhooks:write', 'secrets:read'],
    body: z
      .strictObject({
        secret: z.string().max(200).nullish().meta({ description: 'The new one; made where it is left out' }),
        kind: z
          .enum(['v1', 'v1a'])
          .nullish()
          .meta({ description: '`v1` (HMAC, default) or `v1a` (ed25519)' }),
        overlap: z
          .int()
          .min(0)
          .max(365 * aDay)
          .nullish()
          .meta({ description: 'For how many seconds the present one goes on signing; default a day' }),
      })
      .optional()
      .meta({ id: 'Rotation' }),
    success: { status: 200, description: 'The new secret', schema: secretSchema },
    errors: [404, 409],
    async handle({ dispatcher, tenantId, params, body }) {
      const { secret, kind, overlap } = body ?? {};
      const options = {
        tenantId,
        ...(secret != null && { secret }),
        ...(kind != null && { kind }),
        ...(overlap != null && { overlap: overlap * 1000 }),
      };
      return {
        status: 200,
        body: { secret: await dispatcher.webhooks.rotateSecret(params.webhook_id!, options) },
      };
    },
  }),
];
