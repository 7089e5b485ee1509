import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export interface File {
  /** Relative to the repository, with `/` on any system. */
  readonly path: string;
  readonly text: string;
}

export interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly publishConfig?: Readonly<Record<string, unknown>>;
}

export const root: string = fileURLToPath(new URL('..', import.meta.url));

/** Files that git ignores, so that the rules also work on a copy without git, and temporary files of tsup. */
const ignored = /^(?:node_modules|dist|coverage|\.git|package-lock\.json|.*\.(?:tgz|log|bundled_.*))$/;

/** Every file of the repository, including uncommitted ones. */
export function repository(folder = ''): File[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => !ignored.test(entry.name))
    .flatMap((entry) => {
      const path = posix.join(folder, entry.name);
      if (entry.isDirectory()) return repository(path);
      return entry.isFile() ? [{ path, text: readFileSync(join(root, path), 'utf8') }] : [];
    });
}

/** The specifiers that a TypeScript or JavaScript file imports, re-exports or requires, including types, in order. */
export function importsOf({ text }: File): string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map((file) => file.fileName);
}

/** The file of a relative import: `./matching.js` in `packages/core/src/errors.ts` is `matching.ts` in that folder. */
export function resolveImport(from: File, specifier: string): string {
  return posix.join(posix.dirname(from.path), specifier).replace(/\.js$/, '.ts');
}

/** Every node of the file's syntax tree: its code, without the contents of strings and comments. */
export function* nodesOf({ path, text }: File): Generator<ts.Node> {
  const waiting: ts.Node[] = [ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)];
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    yield node;
    ts.forEachChild(node, (child) => {
      waiting.push(child);
    });
  }
}
