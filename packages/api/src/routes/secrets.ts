import { oneOf } from '@posthorn/core/schemas';
import { z } from 'zod';
import { type Route, route } from '../route.js';
import { wholeFrom } from '../wire/whole-number.js';

const secretSchema = z
  .object({
    secret: z.string().meta({ description: '`whsec_…` or `whsk_…`: for the receiver, to verify signatures' }),
  })
  .meta({ id: 'Secret' });
const aDay = 24 * 3600;

/** What the engine accepts: 24 to 64 bytes after `whsec_`, 64 after `whsk_`, in canonical base64. */
const letter = '[A-Za-z0-9+/]';
const oneByte = `${letter}[AQgw]==`;
const twoBytes = `${letter}{2}[AEIMQUYcgkosw048]=`;
const hmac = `whsec_((${letter}{4}){8,20}(${oneByte}|${twoBytes})?|(${letter}{4}){21}(${oneByte})?)`;
const secretPattern = `^(${hmac}|whsk_(${letter}{4}){21}${oneByte})$`;

const rotationSchema = z
  .strictObject({
    secret: z
      .string()
      .max(200, { error: 'must have at most 200 characters' })
      .meta({ pattern: secretPattern })
      .nullish()
      .meta({ description: 'The new secret; generated if it is left out' }),
    kind: oneOf(['v1', 'v1a']).nullish().meta({
      description: '`v1` (HMAC, default) or `v1a` (ed25519). With `secret`, must be the kind of that secret',
    }),
    overlap: wholeFrom(0, 365 * aDay)
      .nullish()
      .meta({ description: 'For how many seconds the current secret goes on signing; default a day' }),
  })
  .refine(({ secret, kind }) => secret == null || kind == null || kind === kindIn(secret), {
    path: ['kind'],
    error: 'must be the kind of the secret, or left out',
  })
  .optional()
  .meta({ id: 'Rotation' });

const kindIn = (secret: string) => (secret.startsWith('whsk_') ? 'v1a' : 'v1');

/** The two calls that return a secret. */
export const secretRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/webhooks/{webhook_id}/secret',
    id: 'getWebhookSecret',
    summary: 'Read the current signing secret',
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
    summary: 'Replace the signing secret',
    description: 'The old secret also signs until the overlap is over, so that receivers can switch.',
    scopes: ['webhooks:write', 'secrets:read'],
    body: rotationSchema,
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
