import { httpChannel } from '@posthorn/channel-http';
import { scopes } from '@posthorn/core';
import { customer } from '@posthorn/example-receiver';
import { until } from '@posthorn/testing';
import { expect, onTestFinished, test } from 'vitest';
import { notesServer } from '../src/server.js';

test('an owner creates a webhook over the API and is notified of a note', async () => {
  const channel = httpChannel({ outbound: { policy: { allowHttp: true, allowHosts: ['127.0.0.1'] } } });
  const { app, posthorn } = notesServer([channel]);
  onTestFinished(() => app.close());
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  const ada = await customer();
  onTestFinished(ada.close);
  const { key } = await posthorn.apiKeys.create({ tenantId: 'ada', name: 'Ada', scopes: [...scopes] });
  await ada.subscribe(`${origin}/v1/organizations`, key, ['note.*']);

  const note = (body: string) =>
    fetch(`${origin}/owners/ada/notes`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
  expect((await note('{}')).status).toBe(400);
  expect((await note('{"text":"Buy stamps"}')).status).toBe(201);
  await until(() => ada.received.length === 1, { timeoutMs: 20_000 });
  expect(ada.received).toMatchObject([{ event_type: 'note.written', metadata: { text: 'Buy stamps' } }]);
});
