import { expect, test } from 'vitest';
import { type File, repository } from './files.js';

/** Returns what breaks the rule, each as `path: why`; nothing if the rule holds. */
export type Rule = (files: readonly File[]) => string[];

/**
 * Registers two tests: the rule holds for this repository, and the rule can fail, because each planted file (path and
 * text, in place of a real file with that path) breaks it.
 */
export function rule(title: string, check: Rule, planted: Readonly<Record<string, string>>): void {
  test(title, () => {
    expect(check(repository())).toEqual([]);
  });

  test(`${title}: every planted violation is found`, () => {
    const others = repository().filter(({ path }) => !Object.hasOwn(planted, path));
    const files = Object.entries(planted).map(([path, text]) => ({ path, text }));
    // All planted files are checked at once, because some rules take seconds. Each fault names its file.
    const faults = check([...others, ...files]);
    const missed = files.filter(({ path }) => !faults.some((fault) => fault.startsWith(`${path}:`)));
    expect(missed.map(({ path }) => path)).toEqual([]);
  });
}
