const token =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no string of JSON holds them
  /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\\0-\x1f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*)("?)|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|)/y;

/**
 * Finds the index at which a text stops being JSON (RFC 8259), or its length if it ends too early. Returns undefined
 * for valid JSON. The positions in messages of `JSON.parse` differ between versions of Node.
 */
export function jsonFaultAt(text: string): number | undefined {
  /** The closing brackets of the open arrays and objects, outermost first. */
  const open: ('}' | ']')[] = [];
  let expected: 'value' | 'value or end' | 'key' | 'key or end' | 'colon' | 'comma or end' = 'value';
  let at = 0;
  for (;;) {
    token.lastIndex = at;
    const [whole, sign, string, quote] = token.exec(text)!;
    const begin = at + whole.length - whole.trimStart().length;
    at += whole.length;
    const closer = open.at(-1);
    // Nothing may follow the top-level value.
    if (expected === 'comma or end' && closer === undefined) return begin === text.length ? undefined : begin;
    if (string !== undefined && quote === '') return at === text.length ? begin : at;
    const isEnd = sign !== undefined && sign === closer && expected.endsWith('or end');
    if (isEnd) {
      open.pop();
      expected = 'comma or end';
    } else if (expected.startsWith('value')) {
      if (begin === at || (sign !== undefined && sign !== '{' && sign !== '[')) return begin;
      if (sign === '{' || sign === '[') open.push(sign === '{' ? '}' : ']');
      expected = sign === '{' ? 'key or end' : sign === '[' ? 'value or end' : 'comma or end';
    } else if (expected.startsWith('key')) {
      if (string === undefined) return begin;
      expected = 'colon';
    } else if (expected === 'colon') {
      if (sign !== ':') return begin;
      expected = 'value';
    } else {
      if (sign !== ',') return begin;
      expected = closer === '}' ? 'key' : 'value';
    }
  }
}
