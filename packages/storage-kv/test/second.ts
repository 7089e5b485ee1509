import { serveStorage } from '@posthorn/testing';
import { kvStorage, sqliteKv } from '../src/index.js';
import { openers } from './database.js';

/* Run by the storage suite: the second handle on its data, in a process of its own. */

serveStorage(({ name, path }: { readonly name: string; readonly path: string }, advancedMs) =>
  kvStorage(sqliteKv(openers[name]!(path)), { now: () => Date.now() + advancedMs() }),
);
