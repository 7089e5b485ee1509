import type { Attempt } from '@posthorn/core';
import { num } from '../space/keys.js';

/** Where an attempt at a delivery is, by the key of the delivery: the first has the number 0. */
export const attemptKey = (deliveryKey: string, number: number): string =>
  `a${deliveryKey.slice(1)}/${num(number)}`;

export function encodeAttempt(attempt: Attempt): string {
  const { id, number, startedAt, durationMs, outcome, kind, message, status, response } = attempt;
  return JSON.stringify([
    id,
    number,
    startedAt.getTime(),
    durationMs,
    outcome,
    kind,
    message,
    status,
    response,
  ]);
}

export function decodeAttempt(deliveryId: string, text: string): Attempt {
  const [id, number, startedAt, durationMs, outcome, kind, message, status, response] = JSON.parse(text);
  const at = new Date(startedAt);
  return { id, deliveryId, number, startedAt: at, durationMs, outcome, kind, message, status, response };
}
