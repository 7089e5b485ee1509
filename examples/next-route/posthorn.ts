import { httpChannel } from '@posthorn/channel-http';
import { createDispatcher, type Dispatcher } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';

const running = globalThis as { posthorn?: Dispatcher };
// Only because the receivers of this example are on this machine.
const policy = { allowHttp: true, allowHosts: ['127.0.0.1'] };

/** One engine for all routes. Next loads a module again for each route, and again during development. */
export const posthorn: Dispatcher =
  running.posthorn ??
  createDispatcher({ storage: memoryStorage(), channels: [httpChannel({ outbound: { policy } })] });
running.posthorn = posthorn;
