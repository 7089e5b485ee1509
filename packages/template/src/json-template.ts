import { type Issue, PosthornError } from '@posthorn/core';
import { describeIssues, describeType } from '@posthorn/core/channel';
import { Output, toValue } from 'liquidjs';
import { beginRendering, type Compiled, compile, type Rendering, tooManyParts } from './compile.js';
import type { TemplateContext } from './context.js';
import { renderFault } from './fault.js';
import { type PlaceOf, placedDocument } from './json-place.js';
import { maxDepth, maxParts, maxSource } from './limits.js';
import { marked } from './marks.js';
import { checkOutput, Rendered, Shown, textEmitter } from './shown.js';
import { WrittenNumber } from './written-number.js';

/** Represents a value in {@link JsonTemplate.shape} that is unknown before rendering. */
export const anyValue: unique symbol = Symbol.for('posthorn.anyValue');

/** A parsed JSON document with templates in it. */
export interface JsonTemplate {
  /**
   * The result as far as it is known without an event. A placeholder is {@link anyValue}, and so is the whole document
   * if its structure depends on tags. A string that mixes text with placeholders or tags is its source.
   */
  readonly shape: unknown;
  /** Renders to a value for `writeJson`, of about 256 KiB at most. Throws `invalid_template` like `Template.render`. */
  render(context: TemplateContext): unknown;
}

/** A part of the document. */
interface Node {
  readonly shape: unknown;
  /** Renders the part, with its values marked. */
  render(rendering: Rendering, spend: (characters: number) => void): unknown;
}

/**
 * Parses a JSON document whose strings are templates; keys are not.
 * - A string that is a single placeholder keeps the type of its value. An undefined value becomes an empty string.
 * - Values are inserted into the document as data, never as JSON text.
 * - Strings in values are escaped for `place`, or for the result of `placeOf`.
 *
 * Throws `invalid_template`. Each issue has the path of the string, and line and column in its message.
 */
export function parseJsonTemplate(
  document: unknown,
  place: 'plain' | 'mrkdwn' = 'plain',
  placeOf: PlaceOf = () => place,
): JsonTemplate {
  const issues: Issue[] = [];
  let length = 0;
  let parts = 0;

  function nodeOf(value: unknown, path: readonly (string | number)[]): Node {
    const refuse = (message: string): Node => {
      issues.push({ path, message });
      return constant(undefined);
    };
    if (path.length > maxDepth) return refuse(`must be at most ${maxDepth} levels deep`);
    if (typeof value === 'string') {
      length += value.length;
      if (length > maxSource) return constant(undefined);
      try {
        const compiled = compile(value, place);
        parts += compiled.parts;
        return withPath(leafOf(value, compiled), path);
      } catch (error) {
        return refuse((error as Error).message);
      }
    }
    if (Array.isArray(value)) {
      const items: Node[] = [];
      for (const [at, item] of value.entries()) {
        length += 1;
        if (length > maxSource) break;
        items.push(nodeOf(item, [...path, at]));
      }
      return {
        shape: items.map(({ shape }) => shape),
        render: (...rendering) => items.map((item) => item.render(...rendering)),
      };
    }
    if (typeof value === 'object' && value !== null && isPlain(value)) {
      const fields: [string, Node][] = [];
      for (const [key, item] of Object.entries(value)) {
        length += key.length + 1;
        if (length > maxSource) break;
        fields.push([key, nodeOf(item, [...path, key])]);
      }
      // From entries, because a key may be called __proto__.
      return {
        shape: Object.fromEntries(fields.map(([key, { shape }]) => [key, shape])),
        render: (...rendering) =>
          Object.fromEntries(fields.map(([key, item]) => [key, item.render(...rendering)])),
      };
    }
    const isWritten = value instanceof WrittenNumber;
    if (value === null || typeof value === 'boolean' || Number.isFinite(value) || isWritten)
      return constant(value);
    return refuse(`must be JSON, not ${describeType(value)}`);
  }

  const root = nodeOf(document, []);
  if (length > maxSource) {
    issues.splice(0, issues.length, { path: [], message: `must have at most ${maxSource / 1024} KiB` });
  } else if (parts > maxParts) {
    issues.push({ path: [], message: tooManyParts });
  }
  if (issues.length > 0) throw new PosthornError('invalid_template', describeIssues(issues), { issues });
  return {
    shape: root.shape,
    render(context) {
      const rendered = root.render(beginRendering(context), spending());
      return placedDocument(rendered, placeOf, spending());
    },
  };
}

/** Returns a counter of the characters that a rendering writes. It throws above the limit. */
export function spending(from = 0): (characters: number) => void {
  let spent = from;
  return (characters) => {
    spent += characters;
    checkOutput(spent);
  };
}

const constant = (value: unknown): Node => ({ shape: value, render: () => value });

const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
};

/** Wraps a node so that its errors contain its path. */
const withPath = ({ shape, render }: Node, path: Issue['path']): Node => ({
  shape,
  render(...rendering) {
    try {
      return render(...rendering);
    } catch (error) {
      const issues = [{ path, message: renderFault(error).message }];
      throw new PosthornError('invalid_template', describeIssues(issues), { issues });
    }
  },
});

function leafOf(source: string, compiled: Compiled): Node {
  const [only, ...others] = compiled.templates;
  if (only instanceof Output && others.length === 0) {
    return {
      shape: anyValue,
      render(rendering, spend) {
        let value: unknown;
        const write = (chunk: unknown): void => {
          value = chunk instanceof Shown ? chunk.value : chunk;
        };
        rendering(compiled, { buffer: '', write });
        return jsonValue(value, spend);
      },
    };
  }
  return {
    shape: source,
    render(rendering, spend) {
      const emitter = textEmitter();
      rendering(compiled, emitter);
      spend(emitter.buffer.length + 2);
      return emitter.buffer;
    },
  };
}

/**
 * Copies a value as JSON data. Strings are marked, and undefined becomes an empty string. Calls `spend` with each
 * length before it copies.
 */
export function jsonValue(value: unknown, spend: (characters: number) => void): unknown {
  if (value instanceof Rendered) {
    spend(value.text.length + 2);
    return value.text;
  }
  const plain = toValue(value === undefined ? '' : value);
  if (typeof plain === 'string') {
    spend(plain.length + 2);
    return marked(plain);
  }
  if (plain instanceof WrittenNumber) {
    spend(String(plain).length);
    return plain;
  }
  if (typeof plain !== 'object' || plain === null) {
    spend(5);
    return typeof plain === 'number' && !Number.isFinite(plain) ? null : plain;
  }
  spend(2);
  if (Array.isArray(plain)) return plain.map((item) => jsonValue(item, spend));
  return Object.fromEntries(
    Object.entries(plain).map(([key, item]) => {
      spend(key.length + 4);
      return [key, jsonValue(item, spend)];
    }),
  );
}
