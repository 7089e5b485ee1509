export { memoryKv } from './memory-kv.js';
export type { SqliteDatabase, SqliteKvOptions } from './sqlite-database.js';
export { sqliteKv } from './sqlite-kv.js';
export { type KvStorage, type KvStorageOptions, kvStorage } from './storage.js';
export type { Awaitable, KvRange, KvRow, KvStore, KvTransaction } from './store.js';
