export { type HintClient, type PostgresNotifierOptions, postgresNotifier } from './notifier.js';
export type { PartitionChanges, PartitionOptions, Period } from './partitions.js';
export type { Answer, Pool, Transaction } from './queryable.js';
export { type PostgresStorage, type PostgresStorageOptions, postgresStorage } from './storage.js';
