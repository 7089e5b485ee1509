import { type Message, recipientsMemo, settledRecipients } from '@posthorn/core';
import { parseAddress } from './address.js';
import type { EmailConfigs } from './configs.js';

/** To whom a message goes, and who of them is through with it. Addresses are canonical. */
export interface Recipients extends Pick<Message, 'deliveryId'> {
  /** Of the headers: the same with every attempt. */
  readonly to: readonly string[];
  readonly cc: readonly string[];
  /** All, those without a header included; each once. */
  readonly all: readonly string[];
  /** Who has it by now. */
  readonly done: readonly string[];
  /** Who was refused for good. */
  readonly refused: readonly string[];
  /** Who is left for this attempt. */
  readonly left: readonly string[];
}

/** Reads configs and the memo of the attempt before; a memo that cannot be read is none. */
export function recipientsOf(message: Message<EmailConfigs>): Recipients {
  const { configs, deliveryId } = message;
  const to = configs.to_addresses.map(canonical);
  const cc = (configs.cc_addresses ?? []).map(canonical);
  const all = [...new Set([...to, ...cc, ...(configs.bcc_addresses ?? []).map(canonical)])];
  // The webhook may have been changed since: who is in its configs no more is nobody's concern.
  const settled = settledRecipients(message, all);
  return {
    deliveryId,
    to,
    cc,
    all,
    done: all.filter((address) => settled.get(address) === null),
    refused: all.filter((address) => typeof settled.get(address) === 'string'),
    left: all.filter((address) => !settled.has(address)),
  };
}

type Known = Pick<Recipients, 'deliveryId' | 'done' | 'refused'>;

/** What the next attempt has to know. Why somebody was refused is not in it: servers name the address. */
export const memoOf = ({ deliveryId, done, refused }: Known): { readonly memo?: string } =>
  recipientsMemo(
    { deliveryId },
    new Map([
      ...refused.map((address) => [address, ''] as const),
      ...done.map((address) => [address, null] as const),
    ]),
  );

/** What stands in configs was checked when it was saved; should the rules be stricter now, the server judges it. */
const canonical = (text: string): string => parseAddress(text).address ?? text;
