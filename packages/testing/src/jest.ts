import { PosthornError } from '@posthorn/core';
import type {} from 'expect';
import { type ChannelMatchers, channelMatchers } from './channel-matchers.js';

/* `import '@posthorn/testing/jest'` adds the matchers to Jest's global `expect`, which `@jest/globals` exports, too. */

declare module 'expect' {
  interface Matchers<R extends void | Promise<void>, T = unknown> extends ChannelMatchers<R> {}
}

declare global {
  namespace jest {
    // biome-ignore lint/complexity/noBannedTypes: the declaration must be the same as that of @types/jest.
    interface Matchers<R, T = {}> extends ChannelMatchers<R> {}
  }
}

const { expect } = globalThis as { expect?: { extend(matchers: object): void } };
if (!expect) {
  throw new PosthornError(
    'invalid_option',
    '@posthorn/testing/jest needs the global expect of Jest: import it in a test, or in setupFilesAfterEnv',
  );
}
expect.extend(channelMatchers);

export type { ChannelMatchers };
