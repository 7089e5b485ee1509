import { isPosthornError, type Webhook } from '@posthorn/core';
import { webhookIdSchema } from '@posthorn/core/schemas';
import { z } from 'zod';
import { checkIfMatch, entityTag, versionIn } from '../entity-tag.js';
import { flag, wholeNumber } from '../query.js';
import { invalid, refuse } from '../refusal.js';
import { type Answer, type AnyDispatcher, type Route, route } from '../route.js';
import { askedPage, countedPageSchema, numbered, paginationOf } from '../wire/page.js';
import { patternText } from '../wire/text.js';
import {
  creationOf,
  replacementOf,
  webhookCreateSchema,
  webhookName,
  webhookOf,
  webhookReplaceSchema,
  webhookSchema,
} from '../wire/webhook.js';

/** How many webhooks are read at a time for the list of all webhooks of a tenant. */
const pageSize = 1000;

const tagHeader = { ETag: 'Its version. Send it as `If-Match` to detect concurrent changes' };
const ifMatch = {
  'If-Match': 'The `ETag` of the version to change; 412 if the webhook has changed',
};

/** Resolves to the webhook with this id, or else to the newest one with this name. Refuses with 404. */
async function byIdOrName(dispatcher: AnyDispatcher, tenantId: string, wanted: string): Promise<Webhook> {
  try {
    return await dispatcher.webhooks.get(wanted, { tenantId });
  } catch (error) {
    if (!isPosthornError(error) || error.code !== 'not_found') throw error;
    const canBeName = webhookName.safeParse(wanted).success;
    const named =
      canBeName && (await dispatcher.webhooks.list({ tenantId, name: wanted, limit: 1 })).items[0];
    if (named) return named;
    throw refuse(404, 'no webhook has this id or name');
  }
}

const answerOf = (status: number, webhook: Webhook): Answer => ({
  status,
  body: webhookOf(webhook),
  headers: { etag: entityTag(webhook) },
});

/** Yields the JSON array of all webhooks page by page: a tenant may have too many to hold in memory at once. */
async function* arrayOf(dispatcher: AnyDispatcher, tenantId: string): AsyncGenerator<string> {
  let cursor: string | undefined;
  let separator = '[';
  do {
    const page = await dispatcher.webhooks.list({ tenantId, limit: pageSize, ...(cursor && { cursor }) });
    const texts = page.items.map((webhook) => JSON.stringify(webhookOf(webhook)));
    if (texts.length > 0) yield separator + texts.join(',');
    if (texts.length > 0) separator = ',';
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  yield separator === '[' ? '[]' : ']';
}

/** Deleting a webhook that does not exist succeeds, whatever `If-Match` says. */
function ofWhatIsGone(error: unknown): undefined {
  if (!isPosthornError(error) || error.code !== 'not_found') throw error;
}

/** Refuses where a tenant may have no more webhooks. */
type MakeRoom = (dispatcher: AnyDispatcher, tenantId: string) => Promise<void>;

const createWebhook = (makeRoom: MakeRoom) =>
  route({
    method: 'POST',
    path: '/webhooks',
    id: 'createWebhook',
    summary: 'Create a webhook',
    scopes: ['webhooks:write'],
    body: webhookCreateSchema,
    success: { status: 201, description: 'The webhook', schema: webhookSchema, headers: tagHeader },
    errors: [409],
    async handle({ dispatcher, tenantId, body }) {
      await makeRoom(dispatcher, tenantId);
      return answerOf(201, await dispatcher.webhooks.create(creationOf(body, tenantId)));
    },
  });

const getWebhooks = route({
  method: 'GET',
  path: '/webhooks',
  id: 'getWebhooks',
  summary: 'Read all webhooks, newest first',
  scopes: ['webhooks:read'],
  success: { status: 200, description: 'All webhooks', schema: z.array(webhookSchema) },
  handle: async ({ dispatcher, tenantId }) => ({ status: 200, pieces: arrayOf(dispatcher, tenantId) }),
});

const listWebhooks = route({
  method: 'POST',
  path: '/webhooks/list',
  id: 'listWebhooks',
  summary: 'List webhooks, newest first',
  description:
    'Pages by `offset`, or by the `next_cursor` of the previous page, which is equally fast on every page.',
  scopes: ['webhooks:read'],
  query: z.strictObject({
    limit: wholeNumber(1, 1000).default(100).meta({ description: 'The maximum number of items' }),
    offset: wholeNumber(0, 10_000).default(0).meta({ description: 'How many items to skip' }),
    cursor: z.string().optional().meta({ description: 'The `next_cursor` of the previous page' }),
    include_total: flag
      .default(false)
      .meta({ description: 'Includes `total` and `total_pages` in `pagination`' }),
  }),
  body: z
    .strictObject({
      event_type: patternText.nullish().meta({
        description:
          'An event type: webhooks that match it. A pattern: webhooks that have exactly this pattern',
      }),
      is_active: z.boolean().nullish(),
    })
    .optional()
    .meta({ id: 'WebhookFilter' }),
  success: { status: 200, description: 'A page of webhooks', schema: countedPageSchema(webhookSchema) },
  async handle({ dispatcher, tenantId, query, body }) {
    const { offset, include_total: isTotalWanted, ...rest } = query;
    if (offset > 0 && rest.cursor !== undefined) {
      throw invalid([
        { loc: ['query', 'offset'], msg: 'cannot be combined with cursor', type: 'value_error' },
      ]);
    }
    const { event_type, is_active } = body ?? {};
    const { scope, ...asked } = askedPage('webhooks', tenantId, {
      ...rest,
      // Null means the same as a missing field.
      event_type: event_type ?? null,
      is_active: is_active ?? null,
    });
    const page = await dispatcher.webhooks.list({
      tenantId,
      ...asked,
      // The top-level total is always present: clients of the hosted product refuse null.
      withTotal: true,
      ...(offset > 0 && { offset }),
      ...(is_active != null && { isActive: is_active }),
      ...(event_type != null &&
        (event_type.includes('*') ? { pattern: event_type } : { eventType: event_type })),
    });
    const pagination = paginationOf(page, { limit: asked.limit, scope });
    const counted = isTotalWanted ? page.total : undefined;
    const placed = asked.cursor === undefined ? numbered(pagination, offset, counted) : pagination;
    const results = page.items.map(webhookOf);
    const answer = { results, pagination: { ...placed, total: counted ?? null }, total: page.total };
    return { status: 200, body: answer };
  },
});

const getWebhook = route({
  method: 'GET',
  path: '/webhooks/{webhook_id}',
  id: 'getWebhook',
  summary: 'Read a webhook',
  description: 'By its id, or by its name: then the newest webhook with that name.',
  scopes: ['webhooks:read'],
  success: { status: 200, description: 'The webhook', schema: webhookSchema, headers: tagHeader },
  errors: [404],
  handle: async ({ dispatcher, tenantId, params }) =>
    answerOf(200, await byIdOrName(dispatcher, tenantId, params.webhook_id!)),
});

const replaceWebhook = route({
  method: 'PUT',
  path: '/webhooks/{webhook_id}',
  id: 'replaceWebhook',
  summary: 'Replace the name, event types, channels and activity of a webhook',
  description:
    'Pending deliveries use the new channels. A secret that is sent as `***` keeps its stored value.',
  scopes: ['webhooks:write'],
  body: webhookReplaceSchema,
  requestHeaders: ifMatch,
  success: { status: 200, description: 'The webhook', schema: webhookSchema, headers: tagHeader },
  errors: [404, 412],
  async handle({ dispatcher, tenantId, params, body, headers }) {
    const webhookId = params.webhook_id!;
    if (body.webhook_id != null && body.webhook_id !== webhookId) {
      throw invalid([
        { loc: ['body', 'webhook_id'], msg: 'must be the id in the path', type: 'value_error' },
      ]);
    }
    return checkIfMatch(headers, async () => {
      const present = () => dispatcher.webhooks.get(webhookId, { tenantId });
      const version = await versionIn(headers, present);
      const options = { tenantId, ...(version !== undefined && { version }) };
      return answerOf(200, await dispatcher.webhooks.update(webhookId, replacementOf(body), options));
    });
  },
});

const deleteWebhook = route({
  method: 'DELETE',
  path: '/webhooks/{webhook_id}',
  id: 'deleteWebhook',
  summary: 'Delete a webhook',
  description: 'Cancels its pending deliveries. Deleting a webhook that does not exist is no error.',
  scopes: ['webhooks:write'],
  requestHeaders: ifMatch,
  success: { status: 204, description: 'It is deleted' },
  errors: [404, 412],
  handle: ({ dispatcher, tenantId, params, headers }) =>
    checkIfMatch(headers, async () => {
      const webhookId = params.webhook_id!;
      // Only an id can be that of a webhook that is already deleted; a name cannot.
      if (!webhookIdSchema.safeParse(webhookId).success) throw refuse(404, 'no webhook has this id');
      const present = () => dispatcher.webhooks.get(webhookId, { tenantId });
      const version = await versionIn(headers, present).catch(ofWhatIsGone);
      const options = { tenantId, ...(version !== undefined && { version }) };
      const isDeleted = await dispatcher.webhooks.delete(webhookId, options);
      // A webhook of another tenant is a 404, as if it did not exist.
      if (!isDeleted && (await dispatcher.webhooks.isTaken(webhookId))) {
        throw refuse(404, 'no webhook has this id');
      }
      return { status: 204 };
    }),
});

export const webhookRoutes = (makeRoom: MakeRoom): readonly Route[] => [
  createWebhook(makeRoom),
  getWebhooks,
  listWebhooks,
  getWebhook,
  replaceWebhook,
  deleteWebhook,
];
