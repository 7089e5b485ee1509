import { type Message, recipientsCheckpoint, settledRecipients } from '@posthorn/core/channel';
import { parseAddress } from './address.js';
import type { EmailConfigs } from './configs.js';

/** The recipients of a message and their progress. Addresses are canonical. */
export interface Recipients extends Pick<Message, 'deliveryId'> {
  /** The To header, the same for every attempt. */
  readonly to: readonly string[];
  readonly cc: readonly string[];
  /** All unique recipients, including bcc. */
  readonly all: readonly string[];
  /** Recipients that have the message. */
  readonly done: readonly string[];
  /** Recipients that were refused permanently. */
  readonly refused: readonly string[];
  /** Recipients of this attempt. */
  readonly left: readonly string[];
}

/** Reads the configs and the checkpoint of the previous attempt. An unreadable checkpoint is ignored. */
export function recipientsOf(message: Message<EmailConfigs>): Recipients {
  const { configs, deliveryId } = message;
  const to = configs.to_addresses.map(canonical);
  const cc = (configs.cc_addresses ?? []).map(canonical);
  const all = [...new Set([...to, ...cc, ...(configs.bcc_addresses ?? []).map(canonical)])];
  // The webhook may have changed. Recipients that were removed from its configs are ignored.
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

/**
 * Builds the checkpoint for the next attempt. It omits the reasons of refusals, because servers quote the address in them.
 */
export const checkpointOf = ({ deliveryId, done, refused }: Known): { readonly checkpoint?: string } =>
  recipientsCheckpoint(
    { deliveryId },
    new Map([
      ...refused.map((address) => [address, ''] as const),
      ...done.map((address) => [address, null] as const),
    ]),
  );

/**
 * Normalizes an address. It was validated when it was saved; if it violates stricter rules since, it is sent unchanged
 * and the server decides.
 */
const canonical = (text: string): string => parseAddress(text).address ?? text;
