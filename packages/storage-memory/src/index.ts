export {
  type MemoryStorage,
  type MemoryStorageOptions,
  memoryStorage,
  type TransactionalMemoryStorage,
} from './storage.js';
export type { MemoryTransaction } from './transactions.js';
