import { virtualClock } from '@posthorn/testing';
import { type TeamsStandIn, teamsStandIn } from '@posthorn/testing/teams-stand-in';
import { expect, onTestFinished, test } from 'vitest';

async function standIn(options?: Parameters<typeof teamsStandIn>[0]): Promise<TeamsStandIn> {
  const teams = await teamsStandIn(options);
  onTestFinished(() => teams.close());
  return teams;
}

async function post(url: string, body: unknown): Promise<{ status: number; code?: string }> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = await response.text();
  return { status: response.status, ...(answer !== '' && { code: JSON.parse(answer).error.code }) };
}

const contentType = 'application/vnd.microsoft.card.adaptive';
const message = (content: unknown) => ({ type: 'message', attachments: [{ contentType, content }] });
const card = (text = 'x') => ({ type: 'AdaptiveCard', version: '1.4', body: [{ type: 'TextBlock', text }] });

test('a message with a card is accepted with 202', async () => {
  const teams = await standIn();
  expect(await post(teams.workflowUrl, message(card()))).toEqual({ status: 202 });
  expect(teams.messages).toEqual([{ body: message(card()), card: card() }]);
});

test.each<[string, unknown]>([
  ['no message', card()],
  ['a message without a card', { type: 'message', text: 'x' }],
  ['a card of another kind', { type: 'message', attachments: [{ contentType: 'x', content: card() }] }],
  ['a card of a version that Teams does not support', message({ ...card(), version: '1.6' })],
  ['a card without a body', message({ type: 'AdaptiveCard', version: '1.4' })],
  ['a card with an unknown element', message({ ...card(), body: ['x'] })],
])('%s is refused', async (_, body) => {
  const teams = await standIn();
  expect(await post(teams.workflowUrl, body)).toEqual({ status: 400, code: 'TriggerInputSchemaMismatch' });
  expect(teams.messages).toEqual([]);
});

test('a message of more than 28 KB is refused', async () => {
  const teams = await standIn();
  expect(await post(teams.workflowUrl, message(card('ü'.repeat(14_336))))).toMatchObject({ status: 413 });
  expect(await post(teams.workflowUrl, message(card('x'.repeat(28_000))))).toEqual({ status: 202 });
});

test('a workflow is identified by its URL and its signature, and can be turned off and removed', async () => {
  const teams = await standIn();
  expect(await post(`${teams.workflowUrl}x`, message(card()))).toMatchObject({
    status: 401,
    code: 'DirectApiAuthorizationRequired',
  });
  expect(await post(teams.workflowUrl.replace('api-version', 'v'), message(card()))).toMatchObject({
    code: 'MissingApiVersionParameter',
  });
  teams.turnOffWorkflow();
  expect(await post(teams.workflowUrl, message(card()))).toMatchObject({
    code: 'WorkflowTriggerIsNotEnabled',
  });
  teams.removeWorkflow();
  expect(await post(teams.workflowUrl, message(card()))).toMatchObject({
    status: 404,
    code: 'WorkflowNotFound',
  });
});

test('four requests a second are accepted where the rate is limited; the next one is told to wait', async () => {
  const clock = virtualClock();
  const teams = await standIn({ limitRate: true, now: clock.now });
  for (const text of '1234')
    expect(await post(teams.workflowUrl, message(card(text)))).toEqual({ status: 202 });
  expect(await post(teams.workflowUrl, message(card()))).toMatchObject({ status: 429 });
  clock.advance('1s');
  expect(await post(teams.workflowUrl, message(card()))).toEqual({ status: 202 });
});
