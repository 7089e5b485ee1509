import { PosthornError } from '@posthorn/core';
import { type Emitter, Output, TypeGuards } from 'liquidjs';
import { beginRendering, type Compiled, compile } from './compile.js';
import { readJson, writeJson } from './exact-json.js';
import { faultAt, placeIn, renderFault } from './fault.js';
import { jsonFaultAt } from './json-fault.js';
import { type PlaceOf, placedDocument } from './json-place.js';
import { anyValue, type JsonTemplate, jsonValue, parseJsonTemplate, spending } from './json-template.js';
import { maxDepth } from './limits.js';
import { marked, unmarked } from './marks.js';
import { jsonContent } from './place.js';
import { AsJson, checkOutput, markedText, Shown } from './shown.js';

/**
 * A JSON template as text. Text that is JSON by itself is a document for {@link parseJsonTemplate}. Any other is one
 * template that renders to JSON, such as a loop around values: a value within quotes becomes content of that string, one
 * outside of quotes becomes a whole JSON value, so that none can end what it stands in. Throws `invalid_template`.
 */
export function parseJsonText(
  source: string,
  place: 'plain' | 'mrkdwn' = 'plain',
  placeOf: PlaceOf = () => place,
): JsonTemplate {
  const document = parsedJson(source);
  if (document) return parseJsonTemplate(document.value, place, placeOf);
  const compiled = compile(source, place, true);
  return {
    shape: shapeOf(compiled, source),
    render(context) {
      const writer = jsonWriter();
      beginRendering(context)(compiled, writer);
      if (writer.depth() > maxDepth) throw notJson('it is nested too deep');
      const rendered = parsedJson(writer.buffer);
      if (rendered) return placedDocument(rendered.value, placeOf, spending());
      const text = unmarked(writer.buffer);
      const [line, column] = placeIn(text, jsonFaultAt(text) ?? 0);
      throw notJson(`see its line ${line}, column ${column}`);
    },
  };
}

/** Of what a template renders to, which has places of its own. */
const notJson = (reason: string): PosthornError => {
  const message = `what it renders to is not JSON: ${reason}`;
  return new PosthornError('invalid_template', message, { issues: [{ path: [], message }] });
};

/** What an empty value is where it is a whole one, be it with quotes around it or without. */
const emptyValue = marked('');

/**
 * Without tags, values are all that differs from message to message: a text that is no JSON now never will be. Throws
 * `invalid_template`, naming where in the source it stops being JSON.
 */
function shapeOf({ templates }: Compiled, source: string): unknown {
  const writer = jsonWriter();
  /** Where in what was written each piece begins, and where in the source it stands. */
  const pieces: { readonly from: number; readonly at: number; readonly isText: boolean }[] = [];
  for (const template of templates) {
    const { token } = template;
    const isText = TypeGuards.isHTMLToken(token);
    if (!isText && !(template instanceof Output)) return anyValue;
    pieces.push({ from: writer.buffer.length, at: token.begin + (isText ? token.trimLeft : 0), isText });
    try {
      writer.write(isText ? token.getContent() : new Shown(''));
    } catch (error) {
      throw renderFault(error, token);
    }
  }
  const parsed = parsedJson(writer.buffer, (_, value) => (value === emptyValue ? anyValue : value));
  if (parsed) return parsed.value;
  const fault = jsonFaultAt(writer.buffer) ?? 0;
  const piece = pieces.findLast(({ from }) => from <= fault);
  const at = piece ? piece.at + (piece.isText ? fault - piece.from : 0) : 0;
  throw faultAt(...placeIn(source, at), 'must be JSON around its placeholders');
}

function parsedJson(
  text: string,
  read?: (key: string, value: unknown) => unknown,
): { readonly value: unknown } | undefined {
  try {
    return { value: read ? JSON.parse(text, read) : readJson(text) };
  } catch {
    return undefined;
  }
}

interface JsonWriter extends Emitter {
  /** How deep arrays and objects of the template's own text go. */
  depth(): number;
}

/** Knows of each value whether it comes within a JSON string, from the text of the template before it. */
function jsonWriter(): JsonWriter {
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
        writer.buffer += jsonContent(markedText(chunk));
      } else {
        const value = chunk.value instanceof AsJson ? chunk.value.value : chunk.value;
        writer.buffer += writeJson(jsonValue(value, spending(writer.buffer.length)));
      }
      checkOutput(writer.buffer.length);
    },
  };
  return writer;
}
