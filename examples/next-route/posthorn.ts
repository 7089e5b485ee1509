import { httpChannel } from '@posthorn/channel-http';
import { createDispatcher, type Dispatcher } from '@posthorn/core';
import { memoryStorage } from '@posthorn/storage-memory';

const running = globalThis as { posthorn?: Dispatcher };
// The receivers of this example are on this machine; yours are not.
const policy = { allowHttp: true, allowHosts: ['127.0.0.1'] };

/** One engine for all routes: Next loads a module anew for each of them, and again while you develop. */
export const posthorn: Dispatcher =
  running.posthorn ??
  createDispatcher({ storage: memoryStorage(), channels: [httpChannel({ outbound: { policy } })] });
running.posthorn = posthorn;
