import { createHash } from 'node:crypto';

/*
 * Where everything is. `T` is the code of a tenant, `W` the number of a webhook, `B` a binding, `E` an event; an id stands
 * without its prefix. Numbers are as long as each other, so they sort as they count.
 *
 *   c               the last number that was given out
 *   w/id            webhook            x/T/W             its id, by age
 *   v/T             changes with what the next holds
 *   p/T/pattern/W   the id of an active webhook that holds the pattern
 *   e/T/E           event              d/T/EB            delivery
 *   a/T/EB/nr       attempt            z/T/EB            digest, by its first delivery
 *   u/T/E           how many deliveries of it are not finished
 *   f/at/T/E        an event with none of those, by the time it was published
 *   i/T/key         idempotency key    j/at/T/key        the same, by age
 *   D/kind/id       document           L/kind/nr, M/kind/T/nr   their ids, by age; U/kind/at/nr   by when they are due
 *
 * The queue of a webhook, and where it takes its turn:
 *   q/W/at/place    what may be claimed from `at` on: a delivery, a digest, or what gathers (b)
 *   k/W/B/key/place, y/W/B/key/at/place   deliveries with an ordering key that wait, and those that yield; h/W/B/key
 *   g/W/B/place     what gathers for a digest; b/W/B has what it comes to
 *   n/W             where it stands: s/at/W asleep until `at`, or r/T/turn among those of its tenant that are ready
 *   m/T             where the tenant stands: t/turn
 */

const digits = 9;
const last = 36 ** digits - 1;

/** A whole number as part of a key: instants until the year 5188. */
export const num = (value: number): string =>
  Math.min(Math.max(Math.floor(value), 0), last)
    .toString(36)
    .padStart(digits, '0');

export const parseNum = (text: string): number => Number.parseInt(text, 36);

/** A text of anyone's as part of a key: as it is where it is short and plain, else its hash. */
export const code = (text: string): string =>
  /^[!-.0-}]{1,43}$/.test(text) ? text : `~${createHash('sha256').update(text).digest('base64url')}`;

/** The part of a key at a place, counted from 0. */
export const partOf = (key: string, place: number): string => key.split('/')[place]!;

/** An id without its prefix. */
export const bare = (id: string): string => id.slice(id.indexOf('_') + 1);
