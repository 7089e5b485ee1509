import { expect, test } from 'vitest';
import { type File, repository } from './files.js';

/** Names what breaks the rule, each as `path: why`; nothing where it holds. */
export type Rule = (files: readonly File[]) => string[];

/**
 * Registers two tests: the rule holds for this repository, and it is able to fail, since each planted file (path and
 * text, in place of a real one of that path) breaks it.
 */
export function rule(title: string, check: Rule, planted: Readonly<Record<string, string>>): void {
  test(title, () => {
    expect(check(repository())).toEqual([]);
  });

  test(`${title}: whatever breaks it is found`, () => {
    const others = repository().filter(({ path }) => !Object.hasOwn(planted, path));
    const files = Object.entries(planted).map(([path, text]) => ({ path, text }));
    // All at once, since some rules take seconds: each fault says whose it is.
    const faults = check([...others, ...files]);
    const missed = files.filter(({ path }) => !faults.some((fault) => fault.startsWith(`${path}:`)));
    expect(missed.map(({ path }) => path)).toEqual([]);
  });
}
