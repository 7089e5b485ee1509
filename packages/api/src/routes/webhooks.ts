import { isPosthornError, type Webhook, webhookIdSchema } from '@posthorn/core';
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

/** How many webhooks are read at a time where all of a tenant's are asked for. */
const pageSize = 1000;

const tagHeader = { ETag: 'Its version; sent as `If-Match`, guards against changes in between' };
const ifMatch = {
  'If-Match': 'The `ETag` of the version that is to be changed; 412 where it is another by now',
};

/** The one of this id, or else the newest of this name: `not_found` as the engine says it. */
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

/** The JSON array of all webhooks, a page at a time: a tenant may have more than anybody wants in memory at once. */
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

/** What is gone is as it was asked for, whatever it was before. */
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
  description: 'By `offset`, or by the `next_cursor` of the page before: that is as fast on every page.',
  scopes: ['webhooks:read'],
  query: z.strictObject({
    limit: wholeNumber(1, 1000).default(100).meta({ description: 'How many at most' }),
    offset: wholeNumber(0, 10_000).default(0).meta({ description: 'How many to pass over' }),
    cursor: z.string().optional().meta({ description: 'The `next_cursor` of the page before' }),
    include_total: flag
      .default(false)
      .meta({ description: 'Says `total` and `total_pages` in `pagination`, too' }),
  }),
  body: z
    .strictObject({
      event_type: patternText.nullish().meta({
        description: 'Those that an event of this type goes to; of a pattern, those that hold it',
      }),
      is_active: z.boolean().nullish(),
    })
    .optional()
    .meta({ id: 'WebhookFilter' }),
  success: { status: 200, description: 'A page of webhooks', schema: countedPageSchema(webhookSchema) },
  async handle({ dispatcher, tenantId, query, body }) {
    const { offset, include_total: isTotalWanted, ...rest } = query;
    if (offset > 0 && rest.cursor !== undefined) {
      throw invalid([{ loc: ['query', 'offset'], msg: 'goes with no cursor', type: 'value_error' }]);
    }
    const { event_type, is_active } = body ?? {};
    const { scope, ...asked } = askedPage('webhooks', tenantId, {
      ...rest,
      // Null says as much as nothing.
      event_type: event_type ?? null,
      is_active: is_active ?? null,
    });
    const page = await dispatcher.webhooks.list({
      tenantId,
      ...asked,
      // At the top it is always there: clients of the hosted product refuse null.
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
  description: 'By its id, or by its name: the newest of that name.',
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
  summary: 'Replace name, event types, channels and activity of a webhook',
  description: 'What is pending follows the new channels. A secret that is sent as `***` stays what it is.',
  scopes: ['webhooks:write'],
  body: webhookReplaceSchema,
  requestHeaders: ifMatch,
  success: { status: 200, description: 'The webhook', schema: webhookSchema, headers: tagHeader },
  errors: [404, 412],
  async handle({ dispatcher, tenantId, params, body, headers }) {
    const webhookId = params.webhook_id!;
    if (body.webhook_id != null && body.webhook_id !== webhookId) {
      throw invalid([{ loc: ['body', 'webhook_id'], msg: 'must be that of the path', type: 'value_error' }]);
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
  description: 'Cancels what is pending for it. Deleting what is gone already is no error.',
  scopes: ['webhooks:write'],
  requestHeaders: ifMatch,
  success: { status: 204, description: 'It is gone' },
  errors: [404, 412],
  handle: ({ dispatcher, tenantId, params, headers }) =>
    checkIfMatch(headers, async () => {
      const webhookId = params.webhook_id!;
      // A name is none that could be gone already.
      if (!webhookIdSchema.safeParse(webhookId).success) throw refuse(404, 'no webhook has this id');
      const present = () => dispatcher.webhooks.get(webhookId, { tenantId });
      const version = await versionIn(headers, present).catch(ofWhatIsGone);
      const options = { tenantId, ...(version !== undefined && { version }) };
      const isDeleted = await dispatcher.webhooks.delete(webhookId, options);
      // What was one's own is gone; of another's nothing is said but that there is none.
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
