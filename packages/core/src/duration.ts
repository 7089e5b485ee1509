import { describeType, PosthornError } from './errors.js';

/** A length of time: milliseconds, or a number with a unit: `'250ms'`, `'5s'`, `'30m'`, `'2h'`, `'5d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const form = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/;

/** Converts `duration` to whole milliseconds. Throws `invalid_option`, naming `option`, where it is not a duration. */
export function toMs(duration: Duration, option: string): number {
  const [, count, unit] = typeof duration === 'string' ? (form.exec(duration) ?? []) : [];
  const ms = unit === undefined ? duration : Number(count) * unitMs[unit as keyof typeof unitMs];
  if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 0) {
    throw new PosthornError(
      'invalid_option',
      `${option} must be milliseconds or a string like '30s', '5m' or '2h', not ${describeType(duration)} of another form`,
    );
  }
  return Math.round(ms);
}

/** The longest wait of a Node timer, about 24 days. */
export const maxTimerMs: number = 2 ** 31 - 1;
