const minPlaces = 16;

/**
 * A queue in a ring buffer that only grows. `Array.shift` moves all that follows once there are thousands, and an array that
 * was outgrown and has become old keeps its contents alive until a full collection.
 */
export class Fifo<Item extends object> {
  /** A power of two. */
  #places = new Array<Item | undefined>(minPlaces).fill(undefined);
  #start = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get first(): Item | undefined {
    return this.#places[this.#start];
  }

  push(item: Item): void {
    if (this.#length === this.#places.length) this.#grow();
    this.#places[this.#placeOf(this.#length++)] = item;
  }

  shift(): Item | undefined {
    const { first } = this;
    if (first === undefined) return undefined;
    this.#places[this.#start] = undefined;
    this.#start = this.#placeOf(1);
    this.#length--;
    return first;
  }

  /** Removes and returns the last `count` items, in order. */
  takeLast(count: number): Item[] {
    const left = Math.max(this.#length - count, 0);
    const taken = [...this].slice(left);
    while (this.#length > left) this.#places[this.#placeOf(--this.#length)] = undefined;
    return taken;
  }

  /** Removes this item. False where it is not there. */
  remove(item: Item): boolean {
    if (item === this.first) return this.shift() !== undefined;
    const all = [...this];
    const at = all.indexOf(item);
    if (at < 0) return false;
    this.takeLast(all.length - at);
    for (const behind of all.slice(at + 1)) this.push(behind);
    return true;
  }

  *[Symbol.iterator](): Iterator<Item> {
    for (let n = 0; n < this.#length; n++) yield this.#places[this.#placeOf(n)]!;
  }

  /** The place of the item with `n` items before it. */
  #placeOf(n: number): number {
    return (this.#start + n) & (this.#places.length - 1);
  }

  #grow(): void {
    const all = [...this];
    this.#places = [...all, ...new Array<undefined>(all.length).fill(undefined)];
    this.#start = 0;
  }
}
