import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import type { SqliteDatabase } from '../src/index.js';

type Open = (path: string) => SqliteDatabase;

/** Node's own SQLite, which its older versions do not have. */
async function nodeSqlite(): Promise<Record<string, Open>> {
  try {
    const name = 'node:sqlite';
    const { DatabaseSync } = (await import(name)) as { DatabaseSync: new (path: string) => SqliteDatabase };
    return { 'node:sqlite': (path) => new DatabaseSync(path) };
  } catch {
    return {};
  }
}

/** What opens a SQLite database in a file, by the name of its package. */
export const openers: Readonly<Record<string, Open>> = {
  libsql: (path) => new Database(path),
  ...(await nodeSqlite()),
};

/** A folder of its own for a database, and what removes it. */
export function databaseFile(): { readonly path: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-'));
  return {
    path: join(folder, 'posthorn.db'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
