/** Texts that a database may be unable to store, or may interpret: NULs, lone surrogates, quotes, JSON. */
export const oddTexts: readonly string[] = [
  'a\u0000b\u0000',
  '\ud800',
  'half \udcaf of one, and a whole 📯',
  '\u0001',
  '\u0001"a"',
  '\ufffd\ufeff',
  '"\\u0000"',
  "o'1 %_\\ \r\n\t",
];

/** Cursors that no storage issues. */
export const strangeCursors: readonly string[] = [
  '',
  ' ',
  '-1',
  '1.5',
  '1e3',
  'null',
  '[]',
  'next',
  '\u0000',
  '\ud800',
  '📯',
  '__proto__',
  "' or ''='",
  '9'.repeat(400),
];
