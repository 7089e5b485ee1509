import type { Channel, PreviewPart } from '../channels/channel.js';
import type { Verdict } from '../channels/verdict.js';
import { withDeadline } from '../deadline.js';
import { type BoundClaim, ClaimedMessage } from '../delivery/message.js';
import { send } from '../delivery/send.js';
import { describeType, isPosthornError } from '../errors.js';
import { checkPayload, type EventCatalog } from '../events/catalog.js';
import type { PayloadLimits } from '../events/json-text.js';
import { payloadText } from '../events/payload.js';
import type { LifecycleEmitter } from '../lifecycle.js';
import { parseEventType } from '../matching.js';
import type { TenantOption } from '../models/fields.js';
import { deliveryId, type Ids } from '../models/ids.js';
import { redact } from '../secrets/redact.js';
import type { WebhookSecrets } from '../secrets/webhook-secrets.js';
import type { WebhookRecord } from '../storage/webhook-store.js';
import { parseOptions } from '../validation.js';

/** The default event type of a sample. The catalog need not have it. */
const sampleType = 'webhook.test';

/** The event to send as a sample. */
export interface Sample<EventType extends string = string> extends TenantOption {
  /**
   * The event type. If there is a catalog, it must have the type and accept the payload. Default `webhook.test`, always
   * allowed.
   */
  readonly type?: EventType | typeof sampleType;
  /** Default `{ "test": true }`. */
  readonly payload?: unknown;
}

/** The result of a sample at one channel binding. */
export interface TestResult {
  readonly bindingId: string;
  /** The channel's type. */
  readonly channel: string;
  /** What the channel reported. */
  readonly verdict: Verdict;
}

/** The sample as one channel binding would send it. */
export interface Preview {
  readonly bindingId: string;
  /** The channel's type. */
  readonly channel: string;
  /** The parts of the message. Null if it cannot be rendered, or the channel has no preview. */
  readonly parts: readonly PreviewPart[] | null;
  /** Why it cannot be rendered, for people. Null if it can, or the channel has no preview. */
  readonly reason: string | null;
}

/** Calls that try out a webhook with a sample event. */
export interface Samples<EventType extends string = string> {
  /**
   * Sends a sample to every channel of the webhook at once, and resolves to the results. The sample is not stored and
   * not retried. Works for a paused webhook, too.
   */
  test(webhookId: string, options?: Sample<EventType>): Promise<readonly TestResult[]>;
  /**
   * Renders the sample that `test` would send to each channel, and sends nothing. The result has no secrets: channels
   * get no signing keys, and secret configs are removed from the rendered text.
   */
  preview(webhookId: string, options?: Sample<EventType>): Promise<readonly Preview[]>;
}

/** What {@link createTestEvents} needs of the engine. */
export interface SampleOptions {
  readonly channels: ReadonlyMap<string, Channel>;
  readonly catalog: EventCatalog | undefined;
  readonly secrets: WebhookSecrets;
  readonly limits: PayloadLimits;
  readonly attemptDeadlineMs: number;
  readonly lifecycle: LifecycleEmitter;
  readonly ids: Ids;
  readonly now: () => number;
}

/** Creates the calls that try out a webhook, without writing to the storage. `find` rejects for an unknown webhook. */
export function createTestEvents(
  find: (webhookId: string, tenantId: string | undefined) => Promise<WebhookRecord>,
  options: SampleOptions,
): Samples {
  const { catalog, limits, ids, now } = options;

  /** Calls `of` for each binding of the webhook. */
  async function ofEach<Result>(
    what: string,
    [webhookId, asked]: Parameters<Samples['test']>,
    of: (claim: BoundClaim, startedAt: Date, options: SampleOptions) => Promise<Result>,
  ): Promise<(Result & Pick<TestResult, 'bindingId' | 'channel'>)[]> {
    const { tenantId, ...sample } = parseOptions(asked, ['tenantId', 'type', 'payload'], what);
    if (catalog && sample.type !== undefined && sample.type !== sampleType) {
      await checkPayload(catalog, sample.type, sample.payload);
    }
    const webhook = await find(webhookId, tenantId);
    const { type = sampleType, payload = { test: true } } = sample;
    const startedAt = new Date(now());
    const event = {
      id: ids.event(),
      tenantId: webhook.tenantId,
      type: parseEventType(type),
      payload: payloadText(payload, limits),
      occurredAt: startedAt,
      namespaceId: null,
      subject: null,
      cacheScope: null,
      orderingKey: null,
    };
    return Promise.all(
      webhook.channels.map(async (binding) => {
        const id = deliveryId(event.id, binding.id);
        const claim = {
          deliveryId: id,
          token: '',
          attempt: 1,
          attemptsBeforeRetry: 0,
          event,
          webhook,
          binding,
        };
        return {
          bindingId: binding.id,
          channel: binding.channel,
          ...(await of(claim, startedAt, options)),
        };
      }),
    );
  }

  return {
    test: (...asked) =>
      ofEach('webhooks.test', asked, async (...claimed) => ({
        verdict: await new Promise((resolve) => send(...claimed, resolve)),
      })),
    preview: (...asked) => ofEach('webhooks.preview', asked, previewOf),
  };
}

/** Resolves to the channel's preview of a claim. Never rejects. */
async function previewOf(
  claim: BoundClaim,
  startedAt: Date,
  { channels, secrets, attemptDeadlineMs }: SampleOptions,
): Promise<Pick<Preview, 'parts' | 'reason'>> {
  const { channel: type } = claim.binding;
  const channel = channels.get(type);
  if (!channel) return { parts: null, reason: 'no channel of this type is registered in this process' };
  if (!channel.preview) return { parts: null, reason: null };
  let secretTexts: readonly string[] = [];
  try {
    const withoutKeys = { ...claim, webhook: { ...claim.webhook, secrets: [] } };
    const message = new ClaimedMessage(withoutKeys, startedAt, secrets);
    secretTexts = secrets.configs.textsIn(type, message.configs);
    const parts = await withDeadline(channel.preview(message), attemptDeadlineMs, () => {
      throw new Error(`no preview within ${attemptDeadlineMs} ms`);
    });
    return {
      parts: parts.map((part) => ({ ...part, text: redact(part.text, secretTexts) })),
      reason: null,
    };
  } catch (error) {
    return { parts: null, reason: redact(reasonOf(error), secretTexts) };
  }
}

/** Describes an error of a channel: foreign code, which may throw anything. */
function reasonOf(error: unknown): string {
  if (isPosthornError(error)) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : `it threw ${describeType(error)}`;
}
