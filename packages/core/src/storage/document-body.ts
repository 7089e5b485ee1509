import { PosthornError } from '../errors.js';
import type { Document } from './document-store.js';

/** What the body of a document holds, as the engine wrote it. Throws `storage_failed` where it is no JSON. */
export function bodyOf<Body>({ kind, id, body }: Document): Body {
  try {
    return JSON.parse(body);
  } catch {
    // Without its cause, which would quote from the body.
    throw new PosthornError('storage_failed', `the document ${kind} ${id} is damaged: its body is no JSON`);
  }
}
