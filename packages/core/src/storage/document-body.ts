import { PosthornError } from '../errors.js';
import type { StoredDocument } from './document-store.js';

/** Parses the body of a document. Throws `storage_failed` if it is not JSON. */
export function parseBody<Body>({ kind, id, body }: StoredDocument): Body {
  try {
    return JSON.parse(body);
  } catch {
    // Without the cause, which would quote the body.
    throw new PosthornError('storage_failed', `the document ${kind} ${id} is damaged: its body is not JSON`);
  }
}
