import { type Emitter, Output, TypeGuards } from 'liquidjs';
import { beginRendering, type Compiled, compile } from './compile.js';
import { faultAt, renderFault } from './fault.js';
import { type JsonTemplate, jsonValue, parseJsonTemplate } from './json-template.js';
import { maxDepth } from './limits.js';
import { escapes, jsonContent } from './place.js';
import { AsJson, checkOutput, escapedText, Shown } from './shown.js';

/**
 * A JSON template as text. Text that is JSON by itself is a document for {@link parseJsonTemplate}. Any other is one
 * template that renders to JSON, such as a loop around values: a value within quotes becomes content of that string, one
 * outside of quotes becomes a whole JSON value, so that none can end what it stands in. Throws `invalid_template`.
 */
export function parseJsonText(source: string, place: 'plain' | 'mrkdwn' = 'plain'): JsonTemplate {
  const document = parsedJson(source);
  if (document) return parseJsonTemplate(document.value, place);
  const compiled = compile(source, place, true);
  checkShape(compiled, place);
  return {
    render(context) {
      const writer = jsonWriter(place);
      beginRendering(context)(compiled, writer);
      const rendered = writer.depth() > maxDepth ? undefined : parsedJson(writer.buffer);
      if (!rendered) throw faultAt(1, 1, 'what it renders to is not JSON');
      return rendered.value;
    },
  };
}

/** Without tags, values are all that differs from message to message: a text that is no JSON now never will be. */
function checkShape({ templates }: Compiled, place: 'plain' | 'mrkdwn'): void {
  const writer = jsonWriter(place);
  for (const template of templates) {
    const { token } = template;
    if (!(template instanceof Output || TypeGuards.isHTMLToken(token))) return;
    try {
      writer.write(TypeGuards.isHTMLToken(token) ? token.getContent() : new Shown(''));
    } catch (error) {
      throw renderFault(error, token);
    }
  }
  if (!parsedJson(writer.buffer)) throw faultAt(1, 1, 'must be JSON around its placeholders');
}

function parsedJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

interface JsonWriter extends Emitter {
  /** How deep arrays and objects of the template's own text go. */
  depth(): number;
}

/** Knows of each value whether it comes within a JSON string, from the text of the template before it. */
function jsonWriter(place: 'plain' | 'mrkdwn'): JsonWriter {
  const escaping = escapes[place];
  let isInString = false;
  let isAfterBackslash = false;
  let depth = 0;
  let deepest = 0;

  function follow(text: string): void {
    for (const character of text) {
      if (isAfterBackslash) isAfterBackslash = false;
      else if (isInString && character === '\\') isAfterBackslash = true;
      else if (character === '"') isInString = !isInString;
      else if (!isInString && (character === '[' || character === '{')) deepest = Math.max(deepest, ++depth);
      else if (!isInString && (character === ']' || character === '}')) depth--;
    }
  }

  const writer: JsonWriter = {
    buffer: '',
    depth: () => deepest,
    write(chunk: unknown) {
      if (!(chunk instanceof Shown)) {
        follow(String(chunk));
        writer.buffer += chunk;
      } else if (isAfterBackslash) {
        throw new Error('a backslash before a placeholder');
      } else if (isInString) {
        writer.buffer += jsonContent(escapedText(chunk, escaping));
      } else {
        const value = chunk.value instanceof AsJson ? chunk.value.value : chunk.value;
        let length = writer.buffer.length;
        const spend = (characters: number): void => {
          length += characters;
          checkOutput(length);
        };
        writer.buffer += JSON.stringify(jsonValue(value, escaping, spend));
      }
      checkOutput(writer.buffer.length);
    },
  };
  return writer;
}
