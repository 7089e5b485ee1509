export { memoryKv } from './memory-kv.js';
export { type SqliteDatabase, type SqliteKvOptions, sqliteKv } from './sqlite-kv.js';
export { type KvStorage, type KvStorageOptions, kvStorage } from './storage.js';
export type { Awaitable, KvRange, KvRow, KvStore, KvTransaction } from './store.js';
