import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { entryPoints, surfacePage } from '../scripts/api-surface.js';
import { root } from './files.js';

const entries = entryPoints();

test('docs/api-surface.md lists the public surface as it is: run `npm run api-surface` and review the change', () => {
  expect(readFileSync(join(root, 'docs/api-surface.md'), 'utf8')).toBe(surfacePage(entries));
});

test('an application sees at most 80 names in @posthorn/core', () => {
  const [core] = entries.filter(({ name }) => name === '@posthorn/core');
  expect(core!.exports.length).toBeLessThanOrEqual(80);
});

test('every public name is documented', () => {
  const undocumented = entries.flatMap(({ name: entry, exports }) =>
    exports.filter(({ isDocumented }) => !isDocumented).map(({ name }) => `${entry}: ${name}`),
  );
  expect(undocumented).toEqual([]);
});
