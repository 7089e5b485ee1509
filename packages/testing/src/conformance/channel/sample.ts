import { createSecret, type WebhookEvent } from '@posthorn/core';
import { failureKindSchema, type Message, Secret, type Verdict, withDeadline } from '@posthorn/core/channel';
import { outcomeSchema } from '@posthorn/core/schemas';
import { createIds, deliveryId, digestId } from '@posthorn/core/storage';
import { ok } from '../assertions.js';
import type { ChannelUnderTest } from './harness.js';

const ids = createIds();

/** Creates a message with a new event, as the engine passes it to a channel. */
export function newMessage(configs: unknown, payload = '{"orderId":"o1"}'): Message {
  const tenantId = 'acme';
  const event: WebhookEvent = {
    id: ids.event(),
    tenantId,
    type: 'order.created',
    payload,
    occurredAt: new Date(),
    namespaceId: 'shop',
    subject: { type: 'order', id: 'o1' },
    cacheScope: null,
    orderingKey: null,
  };
  return {
    deliveryId: deliveryId(event.id, ids.binding()),
    attempt: 1,
    attemptsBeforeRetry: 0,
    startedAt: new Date(),
    event,
    payload: JSON.parse(payload),
    webhook: { id: ids.webhook(), tenantId, name: 'Orders' },
    configs,
    secrets: [new Secret(createSecret()), new Secret(createSecret())],
  };
}

/**
 * Creates a digest as the engine passes it to a channel, with one event for each name. The type, subject and payload of
 * the event contain the name.
 */
export function newDigest(configs: unknown, names: readonly string[]): Message {
  const messages = names.map((name) => {
    const message = newMessage(configs, JSON.stringify({ orderId: name }));
    const event = { ...message.event, type: `order.${name}`, subject: { type: 'order', id: name } };
    return { ...message, event };
  });
  const [first] = messages;
  ok(first, 'a digest must have at least one event');
  return {
    ...first,
    deliveryId: digestId(first.event.id, ids.binding()),
    digest: messages.map(({ event, payload }) => ({ event, payload })),
  };
}

/** Returns the stored form of `given`: accepted by the channel's schema, and written and read as JSON. */
export async function storedConfigs(
  { channel }: Pick<ChannelUnderTest, 'channel'>,
  given: unknown,
): Promise<unknown> {
  const result = await channel.config['~standard'].validate(given);
  ok(!result.issues, `configs are refused: ${result.issues?.map(({ message }) => message).join('; ')}`);
  return JSON.parse(JSON.stringify(result.value));
}

/** Creates a message for the first of the sample configs. */
export async function sampleMessage(under: ChannelUnderTest, payload?: string): Promise<Message> {
  return newMessage(await storedConfigs(under, under.configs[0]), payload);
}

/** Sends with a deadline of ten seconds, and checks that the result is a verdict. */
export async function send(
  { channel }: Pick<ChannelUnderTest, 'channel'>,
  message: Message,
  signal: AbortSignal = new AbortController().signal,
): Promise<Verdict> {
  const verdict = await within(10_000, channel.send(message, signal), 'send');
  checkVerdict(verdict);
  return verdict;
}

/** Passes where `verdict` has an outcome and a kind of core's closed lists. */
function checkVerdict(verdict: Verdict): void {
  const isRateLimited = verdict?.outcome === 'rate_limited';
  ok(isRateLimited || outcomeSchema.safeParse(verdict?.outcome).success, `outcome is ${verdict?.outcome}`);
  const { status, response } = verdict;
  ok(
    status === undefined || (Number.isInteger(status) && status >= 0 && status <= 999),
    `status is ${status}`,
  );
  ok(response === undefined || typeof response === 'string', 'response must be a string');
  if (verdict.outcome === 'delivered') return;
  ok(typeof verdict.message === 'string' && verdict.message !== '', 'a failure must have a reason');
  if (verdict.outcome !== 'rate_limited') {
    ok(failureKindSchema.safeParse(verdict.kind).success, `kind is ${verdict.kind}`);
  }
  if (verdict.outcome !== 'failed' && verdict.outcome !== 'rate_limited') return;
  const { retryAfterMs = 0 } = verdict;
  ok(Number.isFinite(retryAfterMs) && retryAfterMs >= 0, `retryAfterMs is ${retryAfterMs}`);
}

/** Resolves as `promise` does. Fails where that takes longer than `ms`. */
export async function within<T>(ms: number, promise: Promise<T>, what: string): Promise<T> {
  return withDeadline(promise, ms, () => {
    throw new Error(`${what} took longer than ${ms} ms`);
  });
}
