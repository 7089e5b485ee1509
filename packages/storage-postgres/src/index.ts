export type { Answer, Pool, Transaction } from './queryable.js';
export { type PostgresStorage, type PostgresStorageOptions, postgresStorage } from './storage.js';
