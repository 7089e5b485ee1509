/** A block is split in two where it has more keys. */
const maxBlock = 512;

/** Where `key` is in `keys`, or would be. */
function placeIn(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A map whose keys have an order, that of their UTF-16 code units. They lie in blocks, so that an insertion moves few. */
export class SortedMap<Value> {
  readonly #values = new Map<string, Value>();
  /** Sorted keys; the last of each block is before the first of the next. None is empty but the only one. */
  readonly #blocks: string[][] = [[]];

  has(key: string): boolean {
    return this.#values.has(key);
  }

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: Value): void {
    if (!this.#values.has(key)) {
      const at = this.#blockOf(key);
      const block = this.#blocks[at]!;
      block.splice(placeIn(block, key), 0, key);
      if (block.length > maxBlock) this.#blocks.splice(at + 1, 0, block.splice(maxBlock / 2));
    }
    this.#values.set(key, value);
  }

  delete(key: string): void {
    if (!this.#values.delete(key)) return;
    const at = this.#blockOf(key);
    const block = this.#blocks[at]!;
    block.splice(placeIn(block, key), 1);
    if (block.length === 0 && this.#blocks.length > 1) this.#blocks.splice(at, 1);
  }

  /** What lies at `from` or behind it, and before `before`, first to last. */
  *range(from: string, before: string): Generator<[key: string, value: Value]> {
    for (let at = this.#blockOf(from); at < this.#blocks.length; at++) {
      const block = this.#blocks[at]!;
      for (let i = placeIn(block, from); i < block.length; i++) {
        const key = block[i]!;
        if (key >= before) return;
        yield [key, this.#values.get(key)!];
      }
    }
  }

  /** The same, last to first. */
  *reverseRange(from: string, before: string): Generator<[key: string, value: Value]> {
    for (let at = this.#blockOf(before); at >= 0; at--) {
      const block = this.#blocks[at]!;
      for (let i = placeIn(block, before) - 1; i >= 0; i--) {
        const key = block[i]!;
        if (key < from) return;
        yield [key, this.#values.get(key)!];
      }
    }
  }

  /** The block that `key` is in, or belongs in: the last one that begins with it or before it. */
  #blockOf(key: string): number {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#blocks[middle]![0]! <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
