import { describe, expect, test } from 'vitest';
import { describeIssues } from '../src/errors.js';

describe('issues in one line', () => {
  test('each name their path, or stand for the whole value', () => {
    expect(
      describeIssues([
        { path: ['channels', 0, 'configs', 'url'], message: 'must be a URL' },
        { path: [], message: 'must be an object' },
      ]),
    ).toBe('channels.0.configs.url: must be a URL; must be an object');
  });

  test('escape a path that would break out of the line, or look like something else', () => {
    const paths = [['a\r\nlevel=info'], ['b', '\u202ec'], ['\u2028'], ['d'.repeat(1_000_000)]];
    const line = describeIssues(paths.map((path) => ({ path, message: 'unknown field' })));
    expect(line).toMatch(
      /^"a\\r\\nlevel=info": unknown field; "b\.\\u202ec": unknown field; "\\u2028": unknown field; d{200}: unknown field$/,
    );
  });

  test('are at most twenty, followed by how many more there are', () => {
    const line = describeIssues(
      Array.from({ length: 1_000 }, (_, i) => ({ path: [i], message: 'is wrong' })),
    );
    expect(line).toMatch(/^0: is wrong; .*; 19: is wrong; and 980 more$/);
  });
});
