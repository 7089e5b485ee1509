import { createHash } from 'node:crypto';
import type { Message } from './channel.js';

/**
 * Who of a message's recipients needs no further attempt: null for one that has it, and for one that never will, why:
 * shortened, on one line.
 */
export type SettledRecipients = ReadonlyMap<string, string | null>;

/** With reasons of so many characters, each of which JSON may double, 70 recipients fit into a memo. */
const maxReason = 100;

/** A memo is stored: it is no place for an address or a number. */
const keyOf = (name: string, recipient: string): string =>
  createHash('sha256').update(`${name} ${recipient}`).digest('base64url').slice(0, 12);

/**
 * What a delivery, the digest that it was in and the halves of that have in common: the end of their names, which is the
 * binding's. A memo goes from one to the other.
 */
const bindingOf = (deliveryId: string): string => deliveryId.slice(-10);

/**
 * What the memo of an earlier attempt says of `recipients`. Of a memo that nobody can read, nothing: a message too many
 * is better than none.
 */
export function settledRecipients(
  { deliveryId, memo }: Pick<Message, 'deliveryId' | 'memo'>,
  recipients: readonly string[],
): SettledRecipients {
  const said = objectIn(memo);
  return new Map(
    recipients.flatMap((recipient) => {
      // By the whole name in what an earlier version has left.
      const keys = [bindingOf(deliveryId), deliveryId].map((name) => keyOf(name, recipient));
      const key = keys.find((one) => Object.hasOwn(said, one));
      const reason = key === undefined ? undefined : said[key];
      return reason === null || typeof reason === 'string' ? [[recipient, reason]] : [];
    }),
  );
}

/** The memo that says who is settled, for a verdict that has failed; of nobody, none. It fits for up to 70 recipients. */
export function recipientsMemo(
  { deliveryId }: Pick<Message, 'deliveryId'>,
  settled: SettledRecipients,
): { readonly memo?: string } {
  if (settled.size === 0) return {};
  const entries = [...settled].map(([recipient, reason]) => [
    keyOf(bindingOf(deliveryId), recipient),
    reason === null ? null : shortened(reason),
  ]);
  return { memo: JSON.stringify(Object.fromEntries(entries)) };
}

const shortened = (reason: string): string =>
  reason
    .replace(/\p{Cc}+/gu, ' ')
    .slice(0, maxReason)
    .replace(/\p{Cs}/gu, '\ufffd');

function objectIn(memo = ''): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(memo));
  } catch {
    return {};
  }
}
