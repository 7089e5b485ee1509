/*
 * Where any of many words stands in a text, in one pass over it, by the automaton of Aho and Corasick (1975). A search
 * for one word after the other takes seconds for what a tenant, who chooses the words, and a receiver, who chooses the
 * text, can agree on.
 */

/** Told of each end of a word: where the longest one that ends there begins. */
export type OnFound = (from: number, to: number) => void;

/** The words as a tree of their letters. The root is 0, where no letter leads; a letter's siblings are a list. */
class Tree {
  readonly #letters: Uint16Array;
  readonly #children: Uint32Array;
  readonly #siblings: Uint32Array;
  /** How many letters lead to a node. */
  readonly depths: Uint32Array;
  /** Of the longest word that ends here, with these letters or with the last of them; 0 where none does. */
  readonly wordLengths: Uint32Array;
  /** The node of the longest other word's beginning that these letters end with. */
  readonly #suffixes: Uint32Array;
  #size = 1;

  constructor(words: readonly string[]) {
    const most = words.reduce((sum, { length }) => sum + length, 1);
    this.#letters = new Uint16Array(most);
    this.#children = new Uint32Array(most);
    this.#siblings = new Uint32Array(most);
    this.depths = new Uint32Array(most);
    this.wordLengths = new Uint32Array(most);
    this.#suffixes = new Uint32Array(most);
    for (const word of words) this.#add(word);
    this.#linkSuffixes();
  }

  #add(word: string): void {
    let node = 0;
    for (let at = 0; at < word.length; at++) {
      const letter = word.charCodeAt(at);
      node = this.#child(node, letter) || this.#grow(node, letter);
    }
    this.wordLengths[node] = word.length;
  }

  /** Where one is after one more letter: as deep as the text's last letters lead. */
  next(node: number, letter: number): number {
    let from = node;
    for (;;) {
      const child = this.#child(from, letter);
      if (child || from === 0) return child;
      from = this.#suffixes[from]!;
    }
  }

  /** Level by level, for a suffix is always shorter. */
  #linkSuffixes(): void {
    const nodes = new Uint32Array(this.#size);
    for (let i = 0, last = 0; i <= last; i++) {
      const node = nodes[i]!;
      for (let child = this.#children[node]!; child; child = this.#siblings[child]!) {
        const suffix = node === 0 ? 0 : this.next(this.#suffixes[node]!, this.#letters[child]!);
        this.#suffixes[child] = suffix;
        this.wordLengths[child] ||= this.wordLengths[suffix]!;
        nodes[++last] = child;
      }
    }
  }

  #child(node: number, letter: number): number {
    let child = this.#children[node]!;
    while (child && this.#letters[child] !== letter) child = this.#siblings[child]!;
    return child;
  }

  #grow(node: number, letter: number): number {
    const child = this.#size++;
    this.#letters[child] = letter;
    this.#siblings[child] = this.#children[node]!;
    this.#children[node] = child;
    this.depths[child] = this.depths[node]! + 1;
    return child;
  }
}

/**
 * Finds the words in `text`, and at its end the longest beginning of one, from `minLength` letters on. Words that are
 * shorter are not looked for.
 */
export function findWords(text: string, words: Iterable<string>, minLength: number, onFound: OnFound): void {
  // Most texts hold none; that is found out without a tree.
  const begun = [...words].filter((word) => text.includes(word.slice(0, minLength)));
  if (begun.length === 0) return;
  const tree = new Tree(begun);
  let node = 0;
  for (let at = 0; at < text.length; at++) {
    node = tree.next(node, text.charCodeAt(at));
    const length = tree.wordLengths[node]!;
    if (length > 0) onFound(at + 1 - length, at + 1);
  }
  const depth = tree.depths[node]!;
  if (depth >= minLength) onFound(text.length - depth, text.length);
}
