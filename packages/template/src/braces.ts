import { type Liquid, Tokenizer, type TopLevelToken, TypeGuards } from 'liquidjs';
import { contextNames } from './context.js';

const placeholder = new RegExp(`\\{(?:${contextNames.join('|')})(?:\\.[A-Za-z_]\\w*)*\\}`, 'g');

/**
 * Makes placeholders of `{event_type}` and `{metadata.name}` in the text between those of Liquid, as configs of before
 * have them. Their first name is one of the context's: other braces are text. What a tag `raw` holds stays as it is.
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
