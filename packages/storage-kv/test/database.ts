import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import type { SqliteDatabase } from '../src/index.js';

/** Opens a SQLite database in a file. */
export const openDatabase = (path: string): SqliteDatabase => new Database(path);

/** A folder of its own for a database, and what removes it. */
export function databaseFile(): { readonly path: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-'));
  return {
    path: join(folder, 'posthorn.db'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
