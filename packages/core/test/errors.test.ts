import { describe, expect, test } from 'vitest';
import { describeIssues } from '../src/errors.js';

describe('issues in one line', () => {
  test('each name where they are, or stand for the whole', () => {
    expect(
      describeIssues([
        { path: ['channels', 0, 'configs', 'url'], message: 'must be a URL' },
        { path: [], message: 'must be an object' },
      ]),
    ).toBe('channels.0.configs.url: must be a URL; must be an object');
  });

  test('hold nothing of a path that breaks out of the line, or is not what it looks like', () => {
    const paths = [['a\r\nlevel=info'], ['b', '\u202ec'], ['\u2028'], ['d'.repeat(1_000_000)]];
    const line = describeIssues(paths.map((path) => ({ path, message: 'is no field' })));
    expect(line).toMatch(
      /^"a\\r\\nlevel=info": is no field; "b\.\\u202ec": is no field; "\\u2028": is no field; d{200}: is no field$/,
    );
  });

  test('are twenty at most, and how many more', () => {
    const line = describeIssues(
      Array.from({ length: 1_000 }, (_, i) => ({ path: [i], message: 'is wrong' })),
    );
    expect(line).toMatch(/^0: is wrong; .*; 19: is wrong; and 980 more$/);
  });
});
