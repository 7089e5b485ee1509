import type { WebhookEvent } from '@posthorn/core';
import { type Message, recipientsCheckpoint, type Verdict } from '@posthorn/core/channel';
import { type SmtpStandIn, type SmtpStandInOptions, smtpStandIn } from '@posthorn/testing/smtp-stand-in';
import { onTestFinished } from 'vitest';
import {
  type EmailChannel,
  type EmailChannelOptions,
  type EmailConfigs,
  emailChannel,
} from '../src/index.js';

export const event: WebhookEvent = {
  id: 'evt_0TvKq1aBcDeFgHiJkLmNoP',
  tenantId: 'default',
  type: 'order.created',
  payload: '{"orderId":"o1","total":1.10}',
  occurredAt: new Date('2026-11-23T10:00:00.123Z'),
  namespaceId: null,
  subject: { type: 'order', id: 'o1' },
  cacheScope: null,
  orderingKey: null,
};

export const withPayload = (payload: unknown): WebhookEvent => ({
  ...event,
  payload: JSON.stringify(payload),
});

/** Creates a message like the engine's, with the fields of `of` replaced. */
export function message(
  configs: Partial<EmailConfigs> = {},
  of: Partial<Message<EmailConfigs>> = {},
): Message<EmailConfigs> {
  const sent = of.event ?? event;
  return {
    deliveryId: 'dlv_0TvKq1aBcDeFgHiJkLmNoPabcdefghij',
    attempt: 1,
    attemptsBeforeRetry: 0,
    startedAt: new Date('2026-11-23T10:00:05Z'),
    event: sent,
    payload: JSON.parse(sent.payload),
    webhook: { id: 'wh_abcdefghij', tenantId: 'default', name: 'Orders' },
    configs: { to_addresses: ['ada@example.com'], ...configs },
    secrets: [],
    ...of,
  };
}

/** Returns the checkpoint of a failed verdict. */
export function checkpointOf(verdict: Verdict): string {
  if (verdict.outcome !== 'failed') throw new Error(`it is ${verdict.outcome}`);
  return verdict.checkpoint ?? '';
}

/** Creates the checkpoint that an attempt leaves for the message above. */
export function checkpointThat({ done = [], refused = [] }: { done?: string[]; refused?: string[] }): string {
  const settled = new Map<string, string | null>([
    ...refused.map((address) => [address, ''] as const),
    ...done.map((address) => [address, null] as const),
  ]);
  return recipientsCheckpoint(message(), settled).checkpoint ?? '';
}

export interface Setup {
  readonly server: SmtpStandIn;
  readonly channel: EmailChannel;
  send(message: Message<EmailConfigs>, signal?: AbortSignal): Promise<Verdict>;
}

/** Starts a server, and a channel that sends to it. Both are closed when the test ends. */
export async function setup(
  options: Partial<EmailChannelOptions> = {},
  serverOptions: SmtpStandInOptions = {},
): Promise<Setup> {
  const server = await smtpStandIn(serverOptions);
  onTestFinished(() => server.close());
  const channel = emailChannel({
    transport: server.settings,
    from: 'Acme Events <events@acme.example>',
    ...options,
  });
  onTestFinished(() => channel.close());
  return {
    server,
    channel,
    send: (sent, signal = new AbortController().signal) => channel.send(sent, signal),
  };
}
