import { virtualClock } from '@posthorn/testing';
import { type DiscordStandIn, discordStandIn } from '@posthorn/testing/discord-stand-in';
import { expect, onTestFinished, test } from 'vitest';

async function standIn(options?: Parameters<typeof discordStandIn>[0]): Promise<DiscordStandIn> {
  const discord = await discordStandIn(options);
  onTestFinished(() => discord.close());
  return discord;
}

async function post(url: string, body: unknown): Promise<{ status: number; answer: unknown }> {
  const headers = { 'content-type': 'application/json' };
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(url, { method: 'POST', headers, body: text });
  const answer = await response.text();
  return { status: response.status, answer: answer === '' ? '' : JSON.parse(answer) };
}

test('a message is accepted with 204, or returned with wait=true', async () => {
  const discord = await standIn();
  expect(await post(discord.webhookUrl, { content: 'x' })).toEqual({ status: 204, answer: '' });
  const waited = await post(`${discord.webhookUrl}?wait=true`, { embeds: [{ title: 'x' }] });
  expect(waited).toMatchObject({ status: 200, answer: { embeds: [{ title: 'x' }] } });
  expect(discord.messages).toHaveLength(2);
});

test.each<[string, unknown, number]>([
  ['no JSON', '{', 50109],
  ['an empty message', {}, 50006],
  ['a message of spaces', { content: ' \n' }, 50006],
  ['an embed of nothing', { embeds: [{}] }, 50006],
  ['embeds of empty texts', { embeds: [{ title: '', fields: [] }] }, 50006],
  ['an embed that shows nothing', { embeds: [{ color: 1, timestamp: '2026-11-23T10:00:00Z' }] }, 50035],
  ['an embed of nothing beside another', { embeds: [{ title: 'x' }, {}] }, 50035],
  ['embeds that are not a list', { content: 'x', embeds: {} }, 50035],
  ['fields that are not a list', { embeds: [{ title: 'x', fields: {} }] }, 50035],
  ['content that is not a string', { content: 1 }, 50035],
  ['a description of 4,097 characters', { embeds: [{ description: 'x'.repeat(4_097) }] }, 50035],
  ['a footer of 2,049 characters', { embeds: [{ footer: { text: 'x'.repeat(2_049) } }] }, 50035],
  ['an author of 257 characters', { embeds: [{ author: { name: 'x'.repeat(257) } }] }, 50035],
  [
    'a field name of 257 characters',
    { embeds: [{ fields: [{ name: 'x'.repeat(257), value: 'b' }] }] },
    50035,
  ],
  ['a field without a name', { embeds: [{ fields: [{ name: '', value: 'b' }] }] }, 50035],
  ['an invalid colour', { embeds: [{ title: 'x', color: '#fff' }] }, 50035],
  ['a URL that is not http or https', { embeds: [{ title: 'x', url: 'javascript:x' }] }, 50035],
  ['an image URL that is not http or https', { content: 'x', avatar_url: 'data:image/png,x' }, 50035],
  ['content of 2,001 characters', { content: 'x'.repeat(2_001) }, 50035],
  ['a name that is not allowed', { content: 'x', username: 'Discord' }, 50035],
  ['eleven embeds', { embeds: Array(11).fill({ title: 'x' }) }, 50035],
  ['26 fields', { embeds: [{ fields: Array(26).fill({ name: 'a', value: 'b' }) }] }, 50035],
  ['a title of 257 characters', { embeds: [{ title: 'x'.repeat(257) }] }, 50035],
  ['a field without a value', { embeds: [{ fields: [{ name: 'a', value: ' ' }] }] }, 50035],
  ['a value of 1,025 characters', { embeds: [{ fields: [{ name: 'a', value: 'x'.repeat(1_025) }] }] }, 50035],
  ['6,001 characters in all', { embeds: Array(3).fill({ description: 'x'.repeat(2_001) }) }, 50035],
  ['an invalid time', { embeds: [{ title: 'x', timestamp: 'noon' }] }, 50035],
])('%s is refused', async (_, body, code) => {
  const discord = await standIn();
  expect(await post(discord.webhookUrl, body)).toMatchObject({ status: 400, answer: { code } });
  expect(discord.messages).toEqual([]);
});

test('a webhook is identified by its id and its token, and can be removed', async () => {
  const discord = await standIn();
  const message = { content: 'x' };
  expect(await post(`${discord.webhookUrl}x`, message)).toMatchObject({
    status: 401,
    answer: { code: 50027 },
  });
  expect(await post(new URL('/api/webhooks/1/x', discord.webhookUrl).href, message)).toMatchObject({
    status: 404,
    answer: { code: 10015 },
  });
  discord.removeWebhook();
  expect(await post(discord.webhookUrl, message)).toMatchObject({ status: 404, answer: { code: 10015 } });
});

test('mentions in the content ping, unless they are not allowed to', async () => {
  const discord = await standIn();
  const content = '@everyone @here <@1> <@!2> <@&3>';
  await post(discord.webhookUrl, { content });
  await post(discord.webhookUrl, { content, allowed_mentions: { parse: ['users'] } });
  await post(discord.webhookUrl, { content, allowed_mentions: { parse: [] } });
  await post(discord.webhookUrl, { embeds: [{ title: '@everyone' }] });
  expect(discord.messages.map(({ pings }) => pings)).toEqual([
    ['@everyone', '@here', '<@1>', '<@!2>', '<@&3>'],
    ['<@1>', '<@!2>'],
    [],
    [],
  ]);
});

test('five messages in two seconds are accepted where the rate is limited; the next one is told to wait', async () => {
  const clock = virtualClock();
  const discord = await standIn({ limitRate: true, now: clock.now });
  for (const content of '12345')
    expect(await post(discord.webhookUrl, { content })).toMatchObject({ status: 204 });
  clock.advance(500);
  expect(await post(discord.webhookUrl, { content: '6' })).toEqual({
    status: 429,
    answer: { message: 'You are being rate limited.', retry_after: 1.5, global: false },
  });
  clock.advance('2s');
  expect(await post(discord.webhookUrl, { content: '7' })).toMatchObject({ status: 204 });
});
