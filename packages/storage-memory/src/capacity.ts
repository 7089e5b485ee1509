import type { Attempt, WebhookEvent } from '@posthorn/core';

/*
 * Upper bounds of the memory that entries take on V8's heap: measured with a million of each, and rounded up. An
 * estimate that is too low would crash the process; one that is too high costs a little capacity.
 */
const eventBytes = 460;
const deliveryBytes = 250;
const attemptBytes = 350;
const keyBytes = 300;

/** V8 takes one byte for each character of a string, or two if one of them is beyond Latin-1. */
const textBytes = (text: string | null | undefined): number =>
  text ? text.length * (Buffer.byteLength(text) === text.length ? 1 : 2) : 0;

export const costOf = {
  event: ({ payload, cacheScope, tenantId, namespaceId, type, subject, orderingKey }: WebhookEvent): number =>
    eventBytes +
    textBytes(payload) +
    textBytes(cacheScope) +
    textBytes(tenantId) +
    textBytes(namespaceId) +
    textBytes(type) +
    textBytes(subject?.type) +
    textBytes(subject?.id) +
    textBytes(orderingKey),
  delivery: deliveryBytes,
  attempt: (attempt: Pick<Attempt, 'message' | 'response'>): number =>
    attemptBytes + textBytes(attempt.message) + textBytes(attempt.response),
  key: (key: string): number => keyBytes + textBytes(key),
};
