import { createHash } from 'node:crypto';
import type { Message } from '@posthorn/core';

/**
 * By what Slack may tell that it has a message already: `client_msg_id`, which the errors of chat.postMessage speak of. It
 * is the same for all attempts, whichever of them has arrived; after a retry that the application asks for it is another,
 * as that is meant to be posted again.
 */
export function clientMessageId({ deliveryId, attemptsBefore }: Message): string {
  const hex = createHash('sha256').update(`${deliveryId}:${attemptsBefore}`).digest('hex');
  // A UUID of our own making: version 8 (RFC 9562 §5.8).
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
