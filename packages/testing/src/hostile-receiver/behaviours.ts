import type { Behaviour } from './behaviour.js';
import { broken } from './behaviours/broken.js';
import { endless } from './behaviours/endless.js';
import { luring } from './behaviours/luring.js';
import { malformed } from './behaviours/malformed.js';
import { slow } from './behaviours/slow.js';
import { untrusted } from './behaviours/untrusted.js';

/** All behaviours, by name. */
export const hostileBehaviours: Readonly<Record<string, Behaviour>> = {
  ...slow,
  ...broken,
  ...malformed,
  ...endless,
  ...luring,
  ...untrusted,
};
