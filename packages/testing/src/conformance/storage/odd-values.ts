/** What a database may have no letters for, or take for something else: NULs, half surrogates, marks, what looks like JSON. */
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

/** What no page comes with, whatever a storage's cursors are. */
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
