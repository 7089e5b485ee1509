import type { DeliveryEntry } from './entries.js';
import type { Lanes } from './lanes.js';

/** The unfinished deliveries of one channel binding whose events have one ordering key. */
interface Chain {
  /** In the order of publication: only the first may go. */
  readonly line: Set<DeliveryEntry>;
  /** Those that yield: nobody waits for them. */
  readonly yielding: Set<DeliveryEntry>;
  /** Those of both that are due, and held until it is their turn. */
  readonly due: Set<DeliveryEntry>;
  readonly dueYielding: Set<DeliveryEntry>;
  /** The one that stands in its lane or is being sent: there is one at most. */
  active: DeliveryEntry | undefined;
}

/**
 * The gate before the lanes: what is due and has an ordering key is let in when it is its turn, everything else at once.
 * Held deliveries stand nowhere else, so however many there are, nobody steps over them.
 */
export class Chains {
  readonly #lanes: Lanes;
  readonly #chains = new Map<string, Chain>();

  constructor(lanes: Lanes) {
    this.#lanes = lanes;
  }

  /** The delivery is new, or unfinished again; then it yields, and so it does where it was there before. */
  enter(entry: DeliveryEntry, yields: boolean): void {
    const name = nameOf(entry);
    if (name === undefined) return;
    const known = this.#chains.get(name);
    const chain = known ?? newChain();
    if (!known) this.#chains.set(name, chain);
    if (yields) chain.line.delete(entry);
    (yields ? chain.yielding : chain.line).add(entry);
  }

  /** It is finished. */
  leave(entry: DeliveryEntry): void {
    const name = nameOf(entry);
    const chain = name === undefined ? undefined : this.#chains.get(name);
    if (!chain) return;
    chain.line.delete(entry);
    chain.yielding.delete(entry);
    chain.due.delete(entry);
    chain.dueYielding.delete(entry);
    if (chain.line.size + chain.yielding.size === 0) this.#chains.delete(name!);
    this.release(entry, chain);
  }

  /** It is not sent any more, for now: the next may go. */
  release(entry: DeliveryEntry, chain = this.#chainOf(entry)): void {
    if (!chain) return;
    if (chain.active === entry) chain.active = undefined;
    this.#admit(chain);
  }

  /** It is due: into its lane with it, now or when it is its turn. */
  push(entry: DeliveryEntry): void {
    const chain = this.#chainOf(entry);
    if (!chain || chain.active === entry) {
      this.#lanes.push(entry);
      return;
    }
    (chain.yielding.has(entry) ? chain.dueYielding : chain.due).add(entry);
    this.#admit(chain);
  }

  /** It is neither due nor in its lane. */
  remove(entry: DeliveryEntry): void {
    this.#lanes.remove(entry);
    const chain = this.#chainOf(entry);
    chain?.due.delete(entry);
    chain?.dueYielding.delete(entry);
  }

  #chainOf(entry: DeliveryEntry): Chain | undefined {
    const name = nameOf(entry);
    return name === undefined ? undefined : this.#chains.get(name);
  }

  #admit(chain: Chain): void {
    if (chain.active) return;
    const [first] = chain.line;
    const [yielding] = chain.dueYielding;
    // One that yields was the first once; it goes unless something before it came back.
    const mayYieldingGo = yielding && (!first || yielding.event.order < first.event.order);
    const next = mayYieldingGo ? yielding : first && chain.due.has(first) ? first : undefined;
    if (!next) return;
    chain.due.delete(next);
    chain.dueYielding.delete(next);
    chain.active = next;
    this.#lanes.push(next);
  }
}

const newChain = (): Chain => ({
  line: new Set(),
  yielding: new Set(),
  due: new Set(),
  dueYielding: new Set(),
  active: undefined,
});

/** Neither may hold control characters, so the pair is told apart. What gathers keeps no order. */
const nameOf = ({ event, bindingId, isGathered }: DeliveryEntry): string | undefined =>
  event.orderingKey === null || isGathered ? undefined : `${bindingId}\n${event.orderingKey}`;
