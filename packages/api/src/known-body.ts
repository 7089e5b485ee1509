/*
 * The streams of `Request` and `Response` cost more than most calls of the API do. Where this package has made both ends,
 * one tells the other what is in the stream, and it stays unread.
 */

const bodies = new WeakMap<Request | Response, string | Uint8Array>();

/** Remembers what the body of `message` is. */
export function knowBody<Message extends Request | Response>(
  message: Message,
  body: string | Uint8Array,
): Message {
  bodies.set(message, body);
  return message;
}

/** The body of `message`, where it is known: neither of a copy, nor of one that somebody has read. */
export const knownBody = (message: Request | Response): string | Uint8Array | undefined =>
  message.bodyUsed ? undefined : bodies.get(message);
