import type { WebhookEvent } from '@posthorn/core';
import { type DigestedEvent, type Message, Secret, type Verdict } from '@posthorn/core/channel';
import { createOutbound } from '@posthorn/outbound';
import { virtualClock } from '@posthorn/testing';
import { type SlackStandIn, type SlackStandInOptions, slackStandIn } from '@posthorn/testing/slack-stand-in';
import { onTestFinished } from 'vitest';
import { type SlackConfigs, slackChannel } from '../src/index.js';

export const event: WebhookEvent = {
  id: 'evt_0TvKq1aBcDeFgHiJkLmNoP',
  tenantId: 'default',
  type: 'order.created',
  payload: '{}',
  occurredAt: new Date('2026-11-23T10:00:00.123Z'),
  namespaceId: null,
  subject: { type: 'order', id: 'o1' },
  cacheScope: null,
  orderingKey: null,
};

/** Creates a message like the engine's, with the fields of `of` replaced. */
export function message(
  configs: SlackConfigs,
  payload: unknown = { orderId: 'o1', total: 12.5 },
  of: Partial<Message<SlackConfigs>> = {},
): Message<SlackConfigs> {
  return {
    deliveryId: 'dlv_0TvKq1aBcDeFgHiJkLmNoPabcdefghij',
    attempt: 1,
    attemptsBeforeRetry: 0,
    startedAt: new Date('2026-11-23T10:00:01Z'),
    event,
    payload,
    webhook: { id: 'wh_abcdefghij', tenantId: 'default', name: 'Orders to the shop' },
    configs,
    secrets: [new Secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')],
    ...of,
  };
}

/** Creates a digest of `count` events, each about a different order. */
export const digestOf = (count: number, id = (i: number) => `o${i}`): readonly DigestedEvent[] =>
  Array.from({ length: count }, (_, i) => ({
    event: { ...event, subject: { type: 'order', id: id(i) } },
    payload: {},
  }));

export interface TestSlack extends SlackStandIn {
  /** Configs of an incoming webhook and of a bot. */
  readonly webhook: SlackConfigs;
  readonly bot: SlackConfigs;
  /** Sends with a channel that may only reach the stand-in. */
  send(message: Message<SlackConfigs>, signal?: AbortSignal): Promise<Verdict>;
}

/**
 * Starts a stand-in with a channel that posts to it, until the test ends. It accepts one message per second, as Slack
 * does, and its clock advances by a second before each attempt.
 */
export async function testSlack(options?: SlackStandInOptions): Promise<TestSlack> {
  const clock = virtualClock();
  const slack = await slackStandIn({ limitRate: true, now: clock.now, ...options });
  const outbound = createOutbound(slack.channelOptions.outbound);
  onTestFinished(async () => {
    await outbound.close();
    await slack.close();
  });
  const channel = slackChannel({ ...slack.channelOptions, outbound });
  return {
    ...slack,
    webhook: { webhook_url: slack.webhookUrl },
    bot: { bot_token: slack.botToken, channel_id: slack.channelId },
    send(message, signal = new AbortController().signal) {
      clock.advance(1_000);
      return channel.send(message, signal);
    },
  };
}
