export { type MemoryStorage, type MemoryStorageOptions, memoryStorage } from './storage.js';
