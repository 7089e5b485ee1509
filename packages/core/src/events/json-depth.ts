const quote = 34;
const backslash = 92;

/** Whether objects and arrays nest deeper than `maxDepth` in a JSON text. Counts brackets outside strings; does not check the JSON. */
export function isDeeperThan(text: string, maxDepth: number): boolean {
  // Few payloads have that many brackets at all, and counting them costs a hundredth of reading the text.
  const half = Math.floor(maxDepth / 2);
  if (!hasMoreThan(half, '{', text) && !hasMoreThan(half, '[', text)) return false;
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === backslash) i++;
      else if (code === quote) inString = false;
    } else if (code === quote) inString = true;
    else if (code === 123 || code === 91) {
      if (++depth > maxDepth) return true;
    } else if (code === 125 || code === 93) depth--;
  }
  return false;
}

function hasMoreThan(count: number, character: string, text: string): boolean {
  let found = 0;
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) {
    if (++found > count) return true;
  }
  return false;
}
