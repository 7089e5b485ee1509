import type { DeliveryStatus } from '@posthorn/core';
import type { DeliveryState } from '@posthorn/core/storage';
import { deliveryId, digestId } from '@posthorn/core/storage';
import { partOf } from '../space/keys.js';

/** What the queue hands out as one: a delivery, or the digest that some of them are sent as. */
export interface Entry {
  /** Of its row: of a delivery, or of a digest. */
  readonly key: string;
  readonly webhookId: string;
  /** The number of the webhook: another may have taken its id since. */
  readonly webhook: number;
  readonly channel: string;
  readonly eventType: string;
  /** When its event was published. */
  readonly createdAt: number;
  /** In the order in which deliveries began. */
  readonly place: number;
  readonly state: DeliveryState;
  /** How many attempts are on record. */
  readonly recorded: number;
  /** The code of its ordering key; null where it keeps no order. */
  readonly chain: string | null;
  /** Whether it gathers for a digest. */
  readonly gathers: boolean;
  /** The key of the digest that it is in. */
  readonly digest: string | null;
  /** The keys of the deliveries in it; null where it is none. */
  readonly members: readonly string[] | null;
}

export const isDigest = (entry: Entry): entry is Entry & { readonly members: readonly string[] } =>
  entry.members !== null;

export const tenantCodeOf = ({ key }: Pick<Entry, 'key'>): string => partOf(key, 1);

/** The 22 characters of the event's id; of a digest, of its first event's. */
export const eventOf = ({ key }: Pick<Entry, 'key'>): string => partOf(key, 2).slice(0, 22);

export const bindingOf = ({ key }: Pick<Entry, 'key'>): string => `ch_${partOf(key, 2).slice(22)}`;

/** The id of the delivery or the digest. */
export const idOf = (entry: Pick<Entry, 'key' | 'members'>): string =>
  (entry.members ? digestId : deliveryId)(`evt_${eventOf(entry)}`, bindingOf(entry));

const statuses: readonly DeliveryStatus[] = ['pending', 'sending', 'delivered', 'dead', 'cancelled'];

/** As an array without the zeros at its end: what few entries have comes last. */
export function encodeEntry(entry: Entry): string {
  const { state, members } = entry;
  const fields = [
    entry.webhookId,
    entry.webhook,
    entry.channel,
    entry.eventType,
    entry.createdAt,
    entry.place,
    statuses.indexOf(state.status),
    state.at,
    state.attempts,
    state.attemptsBeforeRetry,
    entry.recorded,
    state.token ?? 0,
    state.begunAt ?? 0,
    entry.chain ?? 0,
    Number(entry.gathers),
    entry.digest ?? 0,
    Number(state.yields),
    state.uncounted,
    state.lostAt ?? 0,
    state.deferredSince ?? 0,
    state.checkpoint ?? 0,
    // Without what they have in common with the digest.
    members?.map((member) => partOf(member, 2)) ?? 0,
  ];
  let end = fields.length;
  while (fields[end - 1] === 0) end--;
  return JSON.stringify(fields.slice(0, end));
}

export function decodeEntry(key: string, text: string): Entry {
  const fields = JSON.parse(text);
  const [webhookId, webhook, channel, eventType, createdAt, place, status, at] = fields;
  const orNull = (field: number) => fields[field] || null;
  return {
    key,
    webhookId,
    webhook,
    channel,
    eventType,
    createdAt,
    place,
    state: {
      status: statuses[status]!,
      at,
      attempts: fields[8] ?? 0,
      attemptsBeforeRetry: fields[9] ?? 0,
      token: orNull(11),
      begunAt: orNull(12),
      yields: fields[16] === 1,
      uncounted: fields[17] ?? 0,
      lostAt: orNull(18),
      deferredSince: orNull(19),
      checkpoint: typeof fields[20] === 'string' ? fields[20] : undefined,
    },
    recorded: fields[10] ?? 0,
    chain: orNull(13),
    gathers: fields[14] === 1,
    digest: orNull(15),
    members: fields[21]?.map((member: string) => `d/${partOf(key, 1)}/${member}`) ?? null,
  };
}
