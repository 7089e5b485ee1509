import { type ApiKey, scopes } from '@posthorn/core';
import { oneOf } from '@posthorn/core/schemas';
import { z } from 'zod';
import { refuse } from '../refusal.js';
import { type Route, route } from '../route.js';
import { instantText } from '../wire/instant.js';
import { askedPage, pageAnswer, pageQuery, pageSchema } from '../wire/page.js';
import { nameText } from '../wire/text.js';

const apiKeySchema = z
  .object({
    key_id: z.string().meta({ description: 'The key starts with its characters' }),
    name: z.string(),
    mode: z.enum(['live', 'test']),
    scopes: z.array(z.enum(scopes)),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable(),
    last_used_at: z.iso.datetime().nullable(),
    revoked_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'ApiKey' });

const createdSchema = apiKeySchema
  .extend({ key: z.string().meta({ description: 'The key itself, shown only in this answer' }) })
  .meta({ id: 'CreatedApiKey' });

function apiKeyOf(apiKey: ApiKey): z.output<typeof apiKeySchema> {
  return {
    key_id: apiKey.id,
    name: apiKey.name,
    mode: apiKey.mode,
    scopes: [...apiKey.scopes],
    created_at: apiKey.createdAt.toISOString(),
    expires_at: apiKey.expiresAt?.toISOString() ?? null,
    last_used_at: apiKey.lastUsedAt?.toISOString() ?? null,
    revoked_at: apiKey.revokedAt?.toISOString() ?? null,
  };
}

/** API keys, if the storage keeps them. */
export const apiKeyRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/api-keys',
    id: 'createApiKey',
    summary: 'Create an API key',
    description:
      'Only this answer contains the key. The key can have at most the scopes of these credentials, and expires no later.',
    scopes: ['keys:write'],
    body: z
      .strictObject({
        name: nameText,
        mode: oneOf(['live', 'test']).nullish().meta({ description: 'Default `live`' }),
        scopes: z
          .array(oneOf(scopes))
          .min(1, { error: 'must hold at least one scope' })
          .refine((given) => new Set(given).size === given.length, { error: 'must hold each scope once' }),
        expires_at: instantText
          .refine((text) => Date.parse(text) > Date.now(), { error: 'must lie in the future' })
          .nullish(),
      })
      .meta({ id: 'ApiKeyInput' }),
    success: { status: 201, description: 'The key', schema: createdSchema },
    async handle({ dispatcher, tenantId, caller, body }) {
      // Otherwise a key with keys:write could grant itself every scope.
      const beyond = body.scopes.filter((scope) => !caller.scopes.includes(scope));
      if (beyond.length > 0) {
        throw refuse(403, `these credentials cannot give the scope ${beyond.join(', ')}`, {
          missing_scopes: beyond,
        });
      }
      const { mode = 'live', expiresAt = null } = caller.apiKey ?? {};
      const until = body.expires_at == null ? expiresAt : new Date(body.expires_at);
      if (expiresAt !== null && until! > expiresAt) {
        throw refuse(403, 'a key cannot create a key that expires later than itself');
      }
      if (mode === 'test' && body.mode === 'live') throw refuse(403, 'a test key can only create test keys');
      const { apiKey, key } = await dispatcher.apiKeys.create({
        tenantId,
        name: body.name,
        scopes: body.scopes,
        mode: body.mode ?? mode,
        expiresAt: until,
      });
      return { status: 201, body: { ...apiKeyOf(apiKey), key } };
    },
  }),

  route({
    method: 'GET',
    path: '/api-keys',
    id: 'listApiKeys',
    summary: 'List API keys, newest first',
    scopes: ['keys:write'],
    query: z.strictObject(pageQuery),
    success: { status: 200, description: 'A page of keys', schema: pageSchema(apiKeySchema) },
    async handle({ dispatcher, tenantId, query }) {
      const { scope, ...page } = askedPage('api-keys', tenantId, query);
      const found = await dispatcher.apiKeys.list({ tenantId, ...page });
      return pageAnswer(found, { limit: query.limit, scope }, apiKeyOf);
    },
  }),

  route({
    method: 'DELETE',
    path: '/api-keys/{key_id}',
    id: 'revokeApiKey',
    summary: 'Revoke an API key',
    description: 'Within a second it is refused in every process. Any key of the tenant can be revoked.',
    scopes: ['keys:write'],
    success: { status: 204, description: 'It is revoked' },
    errors: [404],
    async handle({ dispatcher, tenantId, params }) {
      await dispatcher.apiKeys.revoke(params.key_id!, { tenantId });
      return { status: 204 };
    },
  }),
];
