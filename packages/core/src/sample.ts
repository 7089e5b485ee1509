import type { Channel } from './channel.js';
import { deliveryId, type Ids } from './ids.js';
import { parseEventType } from './match.js';
import { type PayloadLimits, payloadText } from './payload.js';
import type { WebhookRecord } from './ports.js';
import { send } from './send.js';
import type { Verdict } from './verdict.js';
import type { WebhookSecrets } from './webhook-secrets.js';

/** What a sample is called; it need not be in a catalog. */
export const sampleType = 'webhook.test';

/** What to send as a sample. */
export interface Sample {
  /** Default `webhook.test`, which need not be in the catalog; any other must be, and its payload must fit. */
  readonly type?: string;
  /** Default `{ "test": true }`. */
  readonly payload?: unknown;
}

/** What became of a sample at one channel binding. */
export interface TestResult {
  readonly bindingId: string;
  readonly channel: string;
  readonly verdict: Verdict;
}

export interface SampleOptions {
  readonly channels: ReadonlyMap<string, Channel>;
  readonly secrets: WebhookSecrets;
  readonly limits: PayloadLimits;
  readonly attemptDeadlineMs: number;
  readonly ids: Ids;
  readonly now: () => number;
}

/** Sends a sample to each channel binding of a webhook, as a delivery would, but past the storage. */
export function sendSample(
  webhook: WebhookRecord,
  { type = sampleType, payload = { test: true } }: Sample,
  { channels, secrets, limits, attemptDeadlineMs, ids, now }: SampleOptions,
): Promise<readonly TestResult[]> {
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
      const claim = {
        deliveryId: deliveryId(event.id, binding.id),
        token: '',
        attempt: 1,
        attemptsBefore: 0,
      };
      const sample = { ...claim, event, webhook, binding };
      const { verdict } = send(sample, startedAt, { channels, secrets, attemptDeadlineMs });
      return { bindingId: binding.id, channel: binding.channel, verdict: await verdict };
    }),
  );
}
