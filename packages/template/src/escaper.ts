import { codeText, encodedForLink, escapes, linkAddress, linkLabel, type Place } from './place.js';

/** Escapes the values of one text in order. `own` receives the template's own text between them. */
export interface Escaper {
  own(text: string): void;
  value(text: string): string;
}

/** Creates the escaper of one text. In some places the escaping depends on the template text before the value. */
export function escaperFor(place: Place): Escaper {
  if (place === 'mrkdwn') return mrkdwnEscaper();
  if (place === 'html') return htmlEscaper();
  if (place === 'address') return addressEscaper();
  return { own: () => undefined, value: escapes[place] };
}

/** Escapes values in a URL. The beginning decides the target, so a value there must be a complete URL. */
function addressEscaper(): Escaper {
  let isBegun = false;
  return {
    own(text) {
      isBegun ||= text !== '';
    },
    value(text) {
      const address = isBegun ? encodedForLink(text) : linkAddress(text);
      isBegun ||= address !== '';
      return address;
    },
  };
}

/** Tokens: code, line break, start of a link or mention, its label, its end, and other text. */
const mrkdwnToken = /```|`|\n|<(?!\s)|[|>]|[^`\n<|>]+|</g;

/**
 * Escapes values in mrkdwn. From `<` to `|` or `>` is a URL or a mention (`<!channel>`); from `|` to `>` is its label.
 */
function mrkdwnEscaper(): Escaper {
  let target: Escaper | undefined;
  let isLabel = false;
  /** The token that ends the current code span or block; empty outside of code. */
  let codeEnd = '';
  function follow(token: string): void {
    if (codeEnd !== '') {
      if (token === codeEnd || (token === '\n' && codeEnd === '`')) codeEnd = '';
    } else if (token.startsWith('`')) {
      codeEnd = token;
    } else if (token === '<') {
      target = addressEscaper();
      isLabel = false;
    } else if (token === '|') {
      isLabel ||= target !== undefined;
      target = undefined;
    } else if (token === '>') {
      target = undefined;
      isLabel = false;
    } else {
      target?.own(token);
    }
  }
  return {
    own(text) {
      for (const { 0: token, index } of text.matchAll(mrkdwnToken)) {
        const isSpaced = token === '<' && /^\s/.test(text.slice(index + 1, index + 2));
        if (!isSpaced) follow(token);
      }
    },
    value(text) {
      if (codeEnd !== '') return codeText(text);
      if (target) return escapes.entities(target.value(text));
      return isLabel ? linkLabel(text) : escapes.mrkdwn(text);
    },
  };
}

/** Sanitizes a value in CSS. A URL, import or position would load, cover or move other parts of a mail. */
const cssValue = (text: string): string => text.replace(/[^\w #%.,+-]/g, '');

/** A `style` attribute that is still open at the end of the text. Captures its quote, if any. */
const openAttribute = /(?:^|[\s"'/])style\s*=\s*(?:(")[^"]*|(')[^']*|[^\s"'>]*)$/i;

function htmlEscaper(): Escaper {
  let isInElement = false;
  /** Matches the end of the open `style` attribute; undefined outside of one. */
  let attributeEnd: RegExp | undefined;
  return {
    own(text) {
      const end = attributeEnd ? text.search(attributeEnd) : 0;
      if (end < 0 || text === '') return;
      const rest = text.slice(end);
      const open = openAttribute.exec(rest);
      attributeEnd = open ? new RegExp(open[1] ?? open[2] ?? '[\\s>]') : undefined;
      for (const [, slash] of rest.matchAll(/<(\/?)style\b/gi)) isInElement = slash === '';
    },
    value: (text) => (isInElement || attributeEnd ? cssValue(text) : escapes.html(text)),
  };
}
