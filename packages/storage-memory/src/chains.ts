import type { DeliveryEntry } from './entries.js';
import type { Lanes } from './lanes.js';

/** The unfinished deliveries of one channel binding whose events have one ordering key. */
interface Chain {
  /** In the order of publication. Only the first may go. */
  readonly line: Set<DeliveryEntry>;
  /** Deliveries that yield: no other waits for them. */
  readonly yielding: Set<DeliveryEntry>;
  /** Deliveries of both sets that are due, and held until their turn. */
  readonly due: Set<DeliveryEntry>;
  readonly dueYielding: Set<DeliveryEntry>;
  /** The delivery that is in its lane or in flight: at most one. */
  active: DeliveryEntry | undefined;
}

/**
 * The gate before the lanes: a due delivery with an ordering key is let in when it is its turn, every other one at
 * once. Held deliveries are in no lane, so that no lane has to step over them, however many there are.
 */
export class Chains {
  readonly #lanes: Lanes;
  readonly #chains = new Map<string, Chain>();

  constructor(lanes: Lanes) {
    this.#lanes = lanes;
  }

  /** Adds a delivery that is new, or unfinished again. It yields if `yields`, or if it was in the chain before. */
  enter(entry: DeliveryEntry, yields: boolean): void {
    const name = nameOf(entry);
    if (name === undefined) return;
    const known = this.#chains.get(name);
    const chain = known ?? newChain();
    if (!known) this.#chains.set(name, chain);
    if (yields) chain.line.delete(entry);
    (yields ? chain.yielding : chain.line).add(entry);
  }

  /** Removes a finished delivery. */
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

  /** Marks the delivery as not in flight for now: the next one may go. */
  release(entry: DeliveryEntry, chain = this.#chainOf(entry)): void {
    if (!chain) return;
    if (chain.active === entry) chain.active = undefined;
    this.#admit(chain);
  }

  /** Adds a due delivery to its lane, now or when it is its turn. */
  push(entry: DeliveryEntry): void {
    const chain = this.#chainOf(entry);
    if (!chain || chain.active === entry) {
      this.#lanes.push(entry);
      return;
    }
    (chain.yielding.has(entry) ? chain.dueYielding : chain.due).add(entry);
    this.#admit(chain);
  }

  /** Removes a delivery that is no longer due from its lane. */
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
    // A yielding delivery was the first one once. It goes unless an earlier delivery came back.
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

/** Neither part may contain control characters, so the pair is unambiguous. Gathering deliveries are unordered. */
const nameOf = ({ event, bindingId, isGathered }: DeliveryEntry): string | undefined =>
  event.orderingKey === null || isGathered ? undefined : `${bindingId}\n${event.orderingKey}`;
