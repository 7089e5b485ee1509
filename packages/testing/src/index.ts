export * from './clock.js';
export * from './conformance/channel.js';
export * from './conformance/rule.js';
export * from './conformance/storage.js';
export * from './recording-channel.js';
export * from './seeded.js';
export * from './test-dispatcher.js';
export * from './until.js';
