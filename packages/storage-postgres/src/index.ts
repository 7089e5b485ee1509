export type { Answer, Pool, Transaction } from './client/queryable.js';
export { type HintClient, type PostgresNotifierOptions, postgresNotifier } from './notifier.js';
export type { PartitionChanges, PartitionOptions, Period } from './schema/partitions.js';
export { type PostgresStorage, type PostgresStorageOptions, postgresStorage } from './storage.js';
export { fromDrizzle } from './transactions/drizzle.js';
export { fromKnex } from './transactions/knex.js';
export { fromKysely } from './transactions/kysely.js';
export { fromPrisma } from './transactions/prisma.js';
export { fromTypeorm } from './transactions/typeorm.js';
