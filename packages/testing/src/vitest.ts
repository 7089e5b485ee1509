import { expect } from 'vitest';
import { type ChannelMatchers, channelMatchers } from './channel-matchers.js';

/* `import '@posthorn/testing/vitest'` adds the matchers to Vitest's `expect`. */

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: the declaration must be the same as Vitest's own.
  interface Matchers<T = any> extends ChannelMatchers<T> {}
}

expect.extend(channelMatchers);

export type { ChannelMatchers };
