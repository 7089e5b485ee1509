import { Secret } from '../channels/mask.js';
import type { SigningSecret } from '../storage/webhook-store.js';

interface Opened {
  readonly all: readonly Secret[];
  /** Until when all of them hold. */
  readonly allHoldUntil: number;
}

/** Signing keys as they are signed with. */
export class SigningKeys {
  readonly #opened = new WeakMap<readonly SigningSecret[], Opened>();

  /** Those that hold at that time, frozen; opened once for as long as the storage hands out the same ones. */
  holding(secrets: readonly SigningSecret[], at: Date, open: (key: string) => string): readonly Secret[] {
    const { all, allHoldUntil } = this.#opened.get(secrets) ?? this.#open(secrets, open);
    if (at.getTime() < allHoldUntil) return all;
    return Object.freeze(
      all.filter((_, i) => {
        const { expiresAt } = secrets[i]!;
        return expiresAt === null || expiresAt > at;
      }),
    );
  }

  #open(secrets: readonly SigningSecret[], open: (key: string) => string): Opened {
    const ends = secrets.map(({ expiresAt }) => expiresAt?.getTime() ?? Number.POSITIVE_INFINITY);
    const all = Object.freeze(secrets.map(({ key }) => new Secret(open(key))));
    const opened = { all, allHoldUntil: Math.min(...ends) };
    this.#opened.set(secrets, opened);
    return opened;
  }
}
