import { type DigestedEvent, type Event, type Message, Secret, type Verdict } from '@posthorn/core';
import { createOutbound } from '@posthorn/outbound';
import { virtualClock } from '@posthorn/testing';
import { type SlackStandIn, type SlackStandInOptions, slackStandIn } from '@posthorn/testing/slack-stand-in';
import { onTestFinished } from 'vitest';
import { type SlackConfigs, slackChannel } from '../src/index.js';

export const event: Event = {
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

/** A message as the engine hands it out, with `of` in place of what an ordinary one has. */
export function message(
  configs: SlackConfigs,
  payload: unknown = { orderId: 'o1', total: 12.5 },
  of: Partial<Message<SlackConfigs>> = {},
): Message<SlackConfigs> {
  return {
    deliveryId: 'dlv_0TvKq1aBcDeFgHiJkLmNoPabcdefghij',
    attempt: 1,
    attemptsBefore: 0,
    startedAt: new Date('2026-11-23T10:00:01Z'),
    event,
    payload,
    webhook: { id: 'wh_abcdefghij', tenantId: 'default', name: 'Orders to the shop' },
    configs,
    secrets: [new Secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')],
    ...of,
  };
}

/** A digest of so many events, each about an order of its own. */
export const digestOf = (count: number, id = (i: number) => `o${i}`): readonly DigestedEvent[] =>
  Array.from({ length: count }, (_, i) => ({
    event: { ...event, subject: { type: 'order', id: id(i) } },
    payload: {},
  }));

export interface TestSlack extends SlackStandIn {
  /** Configs for either door. */
  readonly webhook: SlackConfigs;
  readonly bot: SlackConfigs;
  /** Sends by a channel that may only talk to the stand-in. */
  send(message: Message<SlackConfigs>, signal?: AbortSignal): Promise<Verdict>;
}

/**
 * A stand-in with a channel that leads to it; until the test is over. It takes one message a second, as Slack does, and a
 * second goes by before each attempt.
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
