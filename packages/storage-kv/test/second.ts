import { serveStorage } from '@posthorn/testing';
import { kvStorage, sqliteKv } from '../src/index.js';
import { openDatabase } from './database.js';

/* Run by the storage suite: the second handle on its data, in a process of its own. */

serveStorage((path: string, clockOffset) =>
  kvStorage(sqliteKv(openDatabase(path)), { now: () => Date.now() + clockOffset() }),
);
