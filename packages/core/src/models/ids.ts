import { randomFillSync } from 'node:crypto';

/** Makes the ids of the engine: a prefix for the kind, then letters and digits. */
export interface Ids {
  /** `wh_` and 10 characters of `[0-9A-Za-z]`. */
  webhook(): string;
  /** `ch_` and 10 characters: a channel binding of a webhook. */
  binding(): string;
  /** `evt_` and 22 characters: 8 of the time, 14 random. Sorts by the millisecond in which it was made. */
  event(): string;
  /** `att_` and 22 characters, as an event's. */
  attempt(): string;
  /** `rpl_` and 22 characters, as an event's. */
  replay(): string;
}

/** Options of `createIds`. */
export interface IdsOptions {
  /** Fills the buffer with random bytes. Default: `crypto.randomFillSync`. Seed it in tests, never elsewhere. */
  readonly fill?: (buffer: Uint8Array) => unknown;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly now?: () => number;
}

/** In ASCII order, so that ids sort as their times do. */
const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const codes = Buffer.from(alphabet, 'latin1');
const timeLength = 8; // 62^8 ms: until the year 8888
const lastMs = 62 ** timeLength - 1;

/** Draws letters and digits, uniformly distributed, from the bytes of `fill`. */
function randomCodes(fill: (buffer: Uint8Array) => unknown): () => number {
  const pool = new Uint8Array(4096);
  let used = pool.length;
  return () => {
    for (;;) {
      if (used === pool.length) {
        fill(pool);
        used = 0;
      }
      const byte = pool[used++]!;
      // 248 is the largest multiple of 62 in a byte: bytes above it would favour some letters.
      if (byte < 248) return codes[byte % 62]!;
    }
  };
}

const secretCode = randomCodes(randomFillSync);

/** Draws `length` of `[0-9A-Za-z]`, 5.95 bits each, from the system's random source, even where a test seeds ids. */
export const secretLetters = (length: number): string =>
  String.fromCharCode(...Array.from({ length }, secretCode));

/** Makes ids of cryptographic randomness (83 bits in an event id, 59 in a webhook id). */
export function createIds(options: IdsOptions = {}): Ids {
  const { fill = randomFillSync, now = Date.now } = options;
  const randomCode = randomCodes(fill);
  let time = -1;
  const timeCodes = new Uint8Array(timeLength);

  function writeTime(text: Buffer, start: number): void {
    let rest = Math.floor(now());
    if (rest !== time) {
      time = rest;
      for (let i = timeLength - 1; i >= 0; i--) {
        timeCodes[i] = codes[rest % 62]!;
        rest = Math.floor(rest / 62);
      }
    }
    for (let i = 0; i < timeLength; i++) text[start + i] = timeCodes[i]!;
  }

  /** Creates the maker of one kind of id, with a time or without, and with `length` random characters. */
  function maker(prefix: string, isSortable: boolean, length: number): () => string {
    const start = prefix.length + (isSortable ? timeLength : 0);
    const text = Buffer.alloc(start + length, prefix, 'latin1');
    return () => {
      if (isSortable) writeTime(text, prefix.length);
      for (let i = start; i < text.length; i++) text[i] = randomCode();
      // Read back from the buffer: a flat string costs a third of a concatenated one, and millions are kept.
      return text.toString('latin1');
    };
  }

  return {
    webhook: maker('wh_', false, 10),
    binding: maker('ch_', false, 10),
    event: maker('evt_', true, 14),
    attempt: maker('att_', true, 14),
    replay: maker('rpl_', true, 14),
  };
}

/** Returns a bound for ranges of ids: ids made at `ms` or later sort after it, earlier ones before it. */
export function firstEventId(ms: number): string {
  // No id lies outside of these bounds.
  let rest = Math.min(Math.max(Math.floor(ms), 0), lastMs);
  let time = '';
  for (let i = 0; i < timeLength; i++) {
    time = alphabet[rest % 62]! + time;
    rest = Math.floor(rest / 62);
  }
  return `evt_${time}`;
}

/** Returns when the event of this id was made, in milliseconds since 1970, by the clock of the dispatching process. */
export function madeAt(eventId: string): number {
  let ms = 0;
  for (const letter of eventId.slice(4, 4 + timeLength)) ms = ms * 62 + alphabet.indexOf(letter);
  return ms;
}

const deliveryIdForm = /^dlv_([0-9A-Za-z]{22})([0-9A-Za-z]{10})$/;

/**
 * Returns the id of the delivery of an event to a channel binding. There is at most one, so the id joins theirs: a storage
 * derives it, and publishing the event again finds the same row.
 */
export function deliveryId(eventId: string, bindingId: string): string {
  return `dlv_${eventId.slice(4)}${bindingId.slice(3)}`;
}

/**
 * Returns the id of the digest that was formed for a channel binding, from its first event. A delivery is in one digest at
 * most, so the id is unique. It differs from every delivery id, as the first delivery may leave the digest.
 */
export function digestId(firstEventId: string, bindingId: string): string {
  return `dig_${firstEventId.slice(4)}${bindingId.slice(3)}`;
}

/** Returns the ids of event and binding in a delivery id. Undefined where `id` is not a delivery id. */
export function parseDeliveryId(id: string): { eventId: string; bindingId: string } | undefined {
  // Callers without types may pass anything.
  const match = typeof id === 'string' ? deliveryIdForm.exec(id) : null;
  return match ? { eventId: `evt_${match[1]}`, bindingId: `ch_${match[2]}` } : undefined;
}
