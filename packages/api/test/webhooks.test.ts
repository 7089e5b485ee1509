import { describe, expect, test } from 'vitest';
import { apiOf, hook, recorded } from './api.js';

describe('creating', () => {
  test('answers 201 with the webhook as the contract has it, and nothing besides', async () => {
    const { call } = await apiOf();
    const { status, body, headers } = await call('POST', '/webhooks', {
      body: { webhook_name: 'Acme', event_types: ['order.*', '*'], channels: [hook()], internal_id: 'org_1' },
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      webhook_id: expect.stringMatching(/^wh_[0-9A-Za-z]{10}$/),
      webhook_name: 'Acme',
      event_types: ['order.*', '*'],
      channels: [
        { channel: 'webhook', configs: expect.objectContaining({ url: 'https://example.com/hooks' }) },
      ],
      is_active: true,
      created_at: expect.stringMatching(/^\d{4}-.*Z$/),
      updated_at: body.created_at,
    });
    expect(headers.get('etag')).toBe('"1"');
    expect(headers.get('cache-control')).toBe('no-store');
  });

  test('takes an id of the client’s own once, and answers 409 from then on, to whichever tenant', async () => {
    const { call, dispatcher } = await apiOf();
    const body = { webhook_id: 'wh_abcDEF1234', ...recorded() };
    expect((await call('POST', '/webhooks/', { body })).body.webhook_id).toBe('wh_abcDEF1234');
    expect((await call('POST', '/webhooks', { body })).status).toBe(409);
    const { key } = await dispatcher.apiKeys.create({
      tenantId: 'other',
      name: 'k',
      scopes: ['webhooks:write'],
    });
    const other = await call('POST', '/webhooks', { body, key });
    expect(other).toMatchObject({
      status: 409,
      body: { success: false, status: 409, error: { type: 'ConflictError' } },
    });
  });
});
