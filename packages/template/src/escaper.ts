import { encodedForLink, escapes, linkAddress, type Place } from './place.js';

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

/** From `<` to `|` or `>` there is an address, or else a mention: `<!channel>`. */
function mrkdwnEscaper(): Escaper {
  let target: Escaper | undefined;
  return {
    own(text) {
      const begun = /<(?!\s)([^<>|]*)$/.exec(text)?.[1];
      if (begun !== undefined) target = addressEscaper();
      else if (/[<>|]/.test(text)) target = undefined;
      target?.own(begun ?? text);
    },
    value: (text) => escapes.mrkdwn(target ? target.value(text) : text),
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
