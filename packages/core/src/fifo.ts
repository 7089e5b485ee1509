/** Below this many free places at the front it is not worth moving the rest. */
const minFree = 64;

/** First in, first out. An array's `shift` moves all that is behind, once there are thousands. */
export class Fifo<Item extends object> {
  #items: (Item | undefined)[] = [];
  /** Where the first one stands; what is before it is free. */
  #start = 0;

  get length(): number {
    return this.#items.length - this.#start;
  }

  get first(): Item | undefined {
    return this.#items[this.#start];
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  shift(): Item | undefined {
    const { first } = this;
    if (first === undefined) return undefined;
    this.#items[this.#start++] = undefined;
    if (this.#start >= minFree && this.#start * 2 >= this.#items.length) {
      this.#items.splice(0, this.#start);
      this.#start = 0;
    }
    return first;
  }

  /** Takes out the last ones, in their order. */
  takeLast(count: number): Item[] {
    const from = Math.max(this.#items.length - count, this.#start);
    return this.#items.splice(from) as Item[];
  }

  /** Takes this one out; false where it is not there. */
  remove(item: Item): boolean {
    const at = this.#items.indexOf(item, this.#start);
    if (at >= 0) this.#items.splice(at, 1);
    return at >= 0;
  }

  *[Symbol.iterator](): Iterator<Item> {
    for (let at = this.#start; at < this.#items.length; at++) yield this.#items[at]!;
  }
}
