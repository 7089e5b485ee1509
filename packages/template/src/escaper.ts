import { codeText, encodedForLink, escapes, linkAddress, linkLabel, type Place } from './place.js';

/** Escapes the values of one text, in order, and is told of what the template itself says between them. */
export interface Escaper {
  own(text: string): void;
  value(text: string): string;
}

/** The escaper of one text. In some places what a value may be depends on what the template has just said. */
export function escaperFor(place: Place): Escaper {
  if (place === 'mrkdwn') return mrkdwnEscaper();
  if (place === 'html') return htmlEscaper();
  if (place === 'address') return addressEscaper();
  return { own: () => undefined, value: escapes[place] };
}

/** What an address begins with decides where it leads: a value there must be an address as a whole. */
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

/** Code, the beginning of a line, a link or a mention, its label, its end; and all else. */
const mrkdwnToken = /```|`|\n|<(?!\s)|[|>]|[^`\n<|>]+|</g;

/** From `<` to `|` or `>` there is an address, or else a mention: `<!channel>`; from `|` to `>` its label. */
function mrkdwnEscaper(): Escaper {
  let target: Escaper | undefined;
  let isLabel = false;
  /** What ends the code that values are in. */
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

/** An address, an import or a position in CSS would load, cover or move what stands elsewhere in a mail. */
const cssValue = (text: string): string => text.replace(/[^\w #%.,+-]/g, '');

/** An attribute `style` that goes on after the text: in which quotes, if any. */
const openAttribute = /(?:^|[\s"'/])style\s*=\s*(?:(")[^"]*|(')[^']*|[^\s"'>]*)$/i;

function htmlEscaper(): Escaper {
  let isInElement = false;
  /** What ends the attribute that values are in. */
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
