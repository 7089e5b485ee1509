import { expect, test } from 'vitest';
import { type File, repository } from './files.js';

/** Names what breaks the rule, each as `path: why`; nothing where it holds. */
export type Rule = (files: readonly File[]) => string[];

/**
 * Registers two tests: the rule holds for this repository, and it is able to fail, since each planted file alone
 * (path and text, in place of a real one of that path) breaks it.
 */
export function rule(title: string, check: Rule, planted: Readonly<Record<string, string>>): void {
  test(title, () => {
    expect(check(repository())).toEqual([]);
  });

  test(`${title}: whatever breaks it is found`, () => {
    const files = repository();
    const missed = Object.entries(planted).filter(([path, text]) => {
      const others = files.filter((file) => file.path !== path);
      return !check([...others, { path, text }]).some((fault) => fault.startsWith(`${path}:`));
    });
    expect(missed.map(([path]) => path)).toEqual([]);
  });
}
