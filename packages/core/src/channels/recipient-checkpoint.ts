import { createHash } from 'node:crypto';
import type { Message } from './channel.js';

/**
 * The recipients of a message that need no further attempt. The value is null for a recipient that has the message. For one
 * that will never get it, the value is the reason, shortened to one line.
 */
export type SettledRecipients = ReadonlyMap<string, string | null>;

/** With reasons of this length, each character of which JSON may double, 70 recipients fit into a checkpoint. */
const maxReason = 100;

/** A hash, as a checkpoint is stored and must hold no address or phone number. */
const keyOf = (name: string, recipient: string): string =>
  createHash('sha256').update(`${name} ${recipient}`).digest('base64url').slice(0, 12);

/**
 * The end of the id, which is that of the binding. A delivery, the digest that it was in and the halves of that digest share
 * it, and a checkpoint passes from one to another.
 */
const bindingOf = (deliveryId: string): string => deliveryId.slice(-10);

/**
 * Reads which of `recipients` are settled by the checkpoint of an earlier attempt. A damaged checkpoint settles none: a
 * duplicate message is better than a missing one.
 */
export function settledRecipients(
  { deliveryId, checkpoint }: Pick<Message, 'deliveryId' | 'checkpoint'>,
  recipients: readonly string[],
): SettledRecipients {
  const entries = objectIn(checkpoint);
  return new Map(
    recipients.flatMap((recipient) => {
      // An earlier version used the whole id.
      const keys = [bindingOf(deliveryId), deliveryId].map((name) => keyOf(name, recipient));
      const key = keys.find((one) => Object.hasOwn(entries, one));
      const reason = key === undefined ? undefined : entries[key];
      return reason === null || typeof reason === 'string' ? [[recipient, reason]] : [];
    }),
  );
}

/** Creates the checkpoint of a failed verdict that holds the settled recipients, up to 70. Empty where none is settled. */
export function recipientsCheckpoint(
  { deliveryId }: Pick<Message, 'deliveryId'>,
  settled: SettledRecipients,
): { readonly checkpoint?: string } {
  if (settled.size === 0) return {};
  const entries = [...settled].map(([recipient, reason]) => [
    keyOf(bindingOf(deliveryId), recipient),
    reason === null ? null : shortened(reason),
  ]);
  return { checkpoint: JSON.stringify(Object.fromEntries(entries)) };
}

const shortened = (reason: string): string =>
  reason
    .replace(/\p{Cc}+/gu, ' ')
    .slice(0, maxReason)
    .replace(/\p{Cs}/gu, '\ufffd');

function objectIn(checkpoint = ''): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(checkpoint));
  } catch {
    return {};
  }
}
