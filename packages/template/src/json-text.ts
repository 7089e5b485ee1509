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
 * Parses a JSON template from text. Text that is valid JSON is a document for {@link parseJsonTemplate}. Other text is
 * one template that renders to JSON, e.g. a loop. A value within quotes becomes content of that string; a value outside
 * of quotes becomes a whole JSON value. So no value can end the string or value that contains it. Throws
 * `invalid_template`.
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
      if (writer.depth() > maxDepth) throw notJson('it is nested too deeply');
      const rendered = parsedJson(writer.buffer);
      if (rendered) return placedDocument(rendered.value, placeOf, spending());
      const text = unmarked(writer.buffer);
      const [line, column] = placeIn(text, jsonFaultAt(text) ?? 0);
      throw notJson(`see line ${line}, column ${column} of that text`);
    },
  };
}

/** Creates the error of a rendered text that is not JSON. Its line and column refer to the rendered text. */
const notJson = (reason: string): PosthornError => {
  const message = `the rendered text is not JSON: ${reason}`;
  return new PosthornError('invalid_template', message, { issues: [{ path: [], message }] });
};

/** An empty value as it appears in the parsed result, with or without quotes around it. */
const emptyValue = marked('');

/**
 * Returns the shape of a template. Without tags, only values differ between messages, so text that is not JSON now
 * never will be. Throws `invalid_template` with the position in the source at which the text stops being JSON.
 */
function shapeOf({ templates }: Compiled, source: string): unknown {
  const writer = jsonWriter();
  /** For each piece, its start in the written text (`from`) and in the source (`at`). */
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
  /** Returns the nesting depth of arrays and objects in the template's own text. */
  depth(): number;
}

/** Creates a writer that tracks, by the template's own text, whether a value is within a JSON string. */
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
