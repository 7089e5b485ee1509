import { createHash } from 'node:crypto';
import type { Message } from '@posthorn/core/channel';

/**
 * Returns `client_msg_id`, by which Slack may recognize a message that it already has; the documented errors of
 * chat.postMessage mention it. It is the same for all attempts. A manual retry gets a new one, because it is meant to
 * be posted again.
 */
export function clientMessageId({ deliveryId, attemptsBeforeRetry }: Message): string {
  const hex = createHash('sha256').update(`${deliveryId}:${attemptsBeforeRetry}`).digest('hex');
  // A custom UUID: version 8 (RFC 9562 §5.8).
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
