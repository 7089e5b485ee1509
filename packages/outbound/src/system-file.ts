import { readFileSync, statSync } from 'node:fs';

/** How long the content is used without checking the file, because each check is a system call. */
const maxAgeMs = 1_000;

/**
 * Returns a function that gets the content of a file as parsed by `read`, and parses it again when the file has
 * changed. The file is checked on access, not watched. A missing or unreadable file counts as empty.
 */
export function systemFile<Content>(path: string, read: (text: string) => Content): () => Content {
  let known: { readonly content: Content; readonly stamp: string } | undefined;
  let checkedAt = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    if (known && now - checkedAt < maxAgeMs) return known.content;
    checkedAt = now;
    // Read before the text, so that the next check sees a change between the two.
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
