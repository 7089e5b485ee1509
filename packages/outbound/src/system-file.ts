import { readFileSync, statSync } from 'node:fs';

/** How old what is known of a file may be: a look is a call of the system. */
const maxAgeMs = 1_000;

/**
 * What `read` makes of the text of a file, made anew when that has changed. It is looked at when it is asked for. A file
 * that is not there, or cannot be read, is empty.
 */
export function systemFile<Content>(path: string, read: (text: string) => Content): () => Content {
  let known: { readonly content: Content; readonly stamp: string } | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    if (known && now - lookedAt < maxAgeMs) return known.content;
    lookedAt = now;
    // Before the text: what is written between the two is seen by the next look.
    const stamp = stampOf(path);
    if (stamp !== known?.stamp) known = { content: read(textOf(path)), stamp };
    return known.content;
  };
}

function stampOf(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats ? `${stats.ino} ${stats.mtimeMs} ${stats.size}` : '';
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
