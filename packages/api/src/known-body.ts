/*
 * The streams of `Request` and `Response` cost more than most calls of the API do. Where this package makes both ends,
 * one tells the other what the body is, and there is no stream.
 */

const bodies = new WeakMap<Request | Response, string | Uint8Array>();
const direct = new WeakSet<object>();

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

/** Remembers of a handler that it asks for known bodies; of a request, that whoever sent it asks so of its response. */
export function markDirect<Marked extends object>(marked: Marked): Marked {
  direct.add(marked);
  return marked;
}

export const isDirect = (marked: object): boolean => direct.has(marked);
