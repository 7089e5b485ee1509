/*
 * Finds all occurrences of many words in a text, in one pass, with the automaton of Aho and Corasick (1975). The tenant
 * chooses the words, and the receiver the text: searching for one word after the other takes seconds for an input on
 * which they agree.
 */

/** Called for each position where a word ends, with the range of the longest word that ends there. */
export type OnFound = (from: number, to: number) => void;

/**
 * The trie of the words. The root is 0, which is never a child, so 0 also means "none". Siblings are a linked list.
 */
class Tree {
  readonly #letters: Uint16Array;
  readonly #children: Uint32Array;
  readonly #siblings: Uint32Array;
  /** The number of letters on the path to a node. */
  readonly depths: Uint32Array;
  /** The length of the longest word that ends at a node, whole or as a suffix of its path; 0 where none does. */
  readonly wordLengths: Uint32Array;
  /** The suffix links: the node of the longest proper suffix of the path that is also a prefix of a word. */
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

  /** Follows one more letter: returns the deepest node whose path is a suffix of the text read. */
  next(node: number, letter: number): number {
    let from = node;
    for (;;) {
      const child = this.#child(from, letter);
      if (child || from === 0) return child;
      from = this.#suffixes[from]!;
    }
  }

  /** Goes level by level, because the link of a node refers to a shorter path. */
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
 * Finds the words in `text`, and at its end the longest prefix of a word, from `minLength` letters on. Shorter words
 * are not found.
 */
export function findWords(text: string, words: Iterable<string>, minLength: number, onFound: OnFound): void {
  // Most texts contain none, which is found out without building a trie.
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
