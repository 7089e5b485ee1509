import { type Liquid, Tokenizer, type TopLevelToken, TypeGuards } from 'liquidjs';
import { contextNames } from './context.js';

const placeholder = new RegExp(`\\{(?:${contextNames.join('|')})(?:\\.[A-Za-z_]\\w*)*\\}`, 'g');

/**
 * Turns `{event_type}` and `{metadata.name}` in the text between Liquid tokens into placeholders, a syntax of older
 * configs. The first name must be one of the context; other braces are text. The content of `raw` is unchanged.
 */
export function withSingleBraces(tokens: readonly TopLevelToken[], { options }: Liquid): TopLevelToken[] {
  const inBraces = { ...options, outputDelimiterLeft: '{', outputDelimiterRight: '}' };
  let isRaw = false;
  return tokens.flatMap((token) => {
    if (TypeGuards.isTagToken(token)) isRaw = token.name === 'raw';
    if (isRaw || !TypeGuards.isHTMLToken(token)) return [token];
    const from = token.begin + token.trimLeft;
    const text = token.getContent();
    const range = (begin: number, end: number): Tokenizer =>
      new Tokenizer(token.input, options.operators, undefined, [from + begin, from + end]);
    const pieces: TopLevelToken[] = [];
    let done = 0;
    for (const { 0: found, index } of text.matchAll(placeholder)) {
      if (index > done) pieces.push(range(done, index).readHTMLToken([]));
      done = index + found.length;
      pieces.push(range(index, done).readOutputToken(inBraces));
    }
    if (done === 0) return [token];
    if (done < text.length) pieces.push(range(done, text.length).readHTMLToken([]));
    return pieces;
  });
}
