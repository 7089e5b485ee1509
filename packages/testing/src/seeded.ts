import { createIds, type Ids } from '@posthorn/core/storage';

/**
 * Creates a random source: uniformly distributed in [0, 1), the same numbers for the same seed (mulberry32). For jitter
 * in tests; never for secrets.
 */
export function seededRandom(seed = 1): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Creates ids in the form of the engine's, the same ones for the same seed and clock. */
export function seededIds(seed = 1, now: () => number = () => 0): Ids {
  const random = seededRandom(seed);
  const fill = (buffer: Uint8Array): void => {
    for (let i = 0; i < buffer.length; i++) buffer[i] = random() * 256;
  };
  return createIds({ now, fill });
}
