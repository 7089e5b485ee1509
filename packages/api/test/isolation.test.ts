import { describe, expect, test } from 'vitest';
import type { AnyDispatcher } from '../src/route.js';
import { routesOf } from '../src/routes/routes.js';
import { apiOf, engine, recorded } from './api.js';

const routes = routesOf(engine(), { basePath: '/v1/organizations', maxWebhooks: 10_000 });

/** A tenant that has one of everything, including a dead delivery. */
async function victim(dispatcher: AnyDispatcher) {
  const tenantId = 'victim';
  const channels = [{ channel: 'record', configs: {} }];
  const webhook = await dispatcher.webhooks.create({ tenantId, name: 'Theirs', eventTypes: ['*'], channels });
  const { eventId } = await dispatcher.dispatch('order.placed', { theirs: true }, { tenantId });
  const { items } = await dispatcher.deliveries.list({ tenantId });
  const { apiKey } = await dispatcher.apiKeys.create({ tenantId, name: 'Theirs', scopes: ['webhooks:read'] });
  const replay = await dispatcher.replays.create({ tenantId });
  return {
    tenantId,
    ids: {
      webhook_id: webhook.id,
      event_id: eventId,
      delivery_id: items[0]!.id,
      key_id: apiKey.id,
      replay_id: replay.id,
    } as Readonly<Record<string, string>>,
  };
}

/** Everything that a tenant has, to detect any change. */
async function everythingOf(
  dispatcher: AnyDispatcher,
  tenantId: string,
  ids: Readonly<Record<string, string>>,
) {
  const { items: deliveries } = await dispatcher.deliveries.list({ tenantId });
  return {
    webhooks: await dispatcher.webhooks.list({ tenantId }),
    secret: await dispatcher.webhooks.revealSecret(ids.webhook_id!, { tenantId }),
    events: await dispatcher.events.list({ tenantId }),
    deliveries,
    attempts: await Promise.all(deliveries.map(({ id }) => dispatcher.deliveries.attempts(id, { tenantId }))),
    keys: await dispatcher.apiKeys.list({ tenantId }),
    replay: await dispatcher.replays.get(ids.replay_id!, { tenantId }),
  };
}

const bodies: Readonly<Record<string, unknown>> = {
  createWebhook: recorded('Mine'),
  replaceWebhook: recorded('Mine'),
  dispatchEvent: { event_type: 'order.placed', metadata: {} },
  createApiKey: { name: 'Mine', scopes: ['webhooks:read'] },
};

describe('A6, A24: another tenant’s ids', () => {
  const named = routes.filter(({ path }) => path.includes('{'));

  test.each(named.map(({ id, method, path }) => [id, method, path]))(
    '%s answers 404, and changes and reveals nothing of the other tenant',
    async (id, method, path) => {
      const dispatcher = engine();
      const { call } = await apiOf(dispatcher);
      const { tenantId, ids } = await victim(dispatcher);
      const before = await everythingOf(dispatcher, tenantId, ids);
      const target = path!.replace(
        /\{(\w+)\}/g,
        (_, name: string) => ids[name] ?? expect.unreachable(`no id for ${name}`),
      );
      const answer = await call(method!, target, { body: bodies[id!] });
      expect(answer.status).toBe(404);
      expect(answer.text).not.toContain('Theirs');
      expect(await everythingOf(dispatcher, tenantId, ids)).toEqual(before);
    },
  );

  test('the name of another tenant’s webhook finds nothing', async () => {
    const dispatcher = engine();
    const { call } = await apiOf(dispatcher);
    await victim(dispatcher);
    expect((await call('GET', '/webhooks/Theirs')).status).toBe(404);
  });

  test.each(
    routes.filter(({ path }) => !path.includes('{')).map(({ id, method, path }) => [id, method, path]),
  )('%s tells and moves nothing of theirs', async (id, method, path) => {
    const dispatcher = engine();
    const { call } = await apiOf(dispatcher);
    const { tenantId, ids } = await victim(dispatcher);
    const before = await everythingOf(dispatcher, tenantId, ids);
    const answer = await call(method!, path!, { body: bodies[id!] });
    expect(answer.status).toBeLessThan(300);
    for (const theirs of ['Theirs', ...Object.values(ids)]) expect(answer.text).not.toContain(theirs);
    expect(await everythingOf(dispatcher, tenantId, ids)).toEqual(before);
  });

  test('a filter by another tenant’s webhook or event finds nothing, and a replay with it is a 404', async () => {
    const dispatcher = engine();
    const { call } = await apiOf(dispatcher);
    const { ids } = await victim(dispatcher);
    for (const name of ['webhook_id', 'event_id']) {
      expect((await call('GET', `/deliveries?${name}=${ids[name]}`)).body.results).toEqual([]);
    }
    expect((await call('POST', '/replay', { body: { webhook_id: ids.webhook_id } })).status).toBe(404);
  });
});

describe('A7: a tenant in the request of a client', () => {
  test.each(['tenantId', 'tenant_id', 'organization_id'])('%s is an unknown field', async (name) => {
    const { call, dispatcher } = await apiOf();
    const body = { ...recorded(), [name]: 'victim' };
    expect(await call('POST', '/webhooks', { body })).toMatchObject({
      status: 422,
      body: { detail: [{ loc: ['body', name], type: 'extra_forbidden' }] },
    });
    expect((await call('GET', `/webhooks?${name}=victim`)).status).toBe(422);
    expect((await dispatcher.webhooks.list({ tenantId: 'victim' })).items).toEqual([]);
  });

  test('in internal_id, or in a header, is ignored', async () => {
    const { call, dispatcher } = await apiOf();
    const body = { ...recorded(), internal_id: 'victim' };
    const { status, text } = await call('POST', '/webhooks', { body, headers: { 'x-tenant-id': 'victim' } });
    expect(status).toBe(201);
    expect(text).not.toContain('internal_id');
    expect((await dispatcher.webhooks.list({ tenantId: 'acme' })).items).toHaveLength(1);
    expect((await dispatcher.webhooks.list({ tenantId: 'victim' })).items).toEqual([]);
  });
});
