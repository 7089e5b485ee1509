import { describeIssues, type Issue, kindOf, PosthornError } from '@posthorn/core';
import { Output, toValue } from 'liquidjs';
import { beginRendering, type Compiled, compile, type Rendering, tooManyParts } from './compile.js';
import type { TemplateContext } from './context.js';
import { renderFault } from './fault.js';
import { maxDepth, maxParts, maxSource } from './limits.js';
import { type Escape, escapes } from './place.js';
import { checkOutput, Rendered, Shown, textEmitter } from './shown.js';

/** A JSON document with templates in it, parsed. */
export interface JsonTemplate {
  /** A value with a JSON form, of about 256 KiB at most. Throws `invalid_template`, as `Template.render` does. */
  render(context: TemplateContext): unknown;
}

/** Renders one part of the document. */
type Node = (rendering: Rendering, spend: (characters: number) => void) => unknown;

/**
 * A JSON document whose strings, but not its keys, are templates. One that is nothing but a placeholder keeps the type
 * of its value; what is undefined is an empty text. Values are put into the document, never joined with it as text; with
 * the place `mrkdwn` the texts in them are escaped. Throws `invalid_template`; its issues say at which path each of them
 * is, and where in the template there.
 */
export function parseJsonTemplate(document: unknown, place: 'plain' | 'mrkdwn' = 'plain'): JsonTemplate {
  const issues: Issue[] = [];
  let length = 0;
  let parts = 0;

  function nodeOf(value: unknown, path: readonly (string | number)[]): Node {
    const refuse = (message: string): Node => {
      issues.push({ path, message });
      return () => undefined;
    };
    if (path.length > maxDepth) return refuse(`must be at most ${maxDepth} levels deep`);
    if (typeof value === 'string') {
      length += value.length;
      if (length > maxSource) return () => undefined;
      try {
        const compiled = compile(value, place);
        parts += compiled.parts;
        return named(leafOf(compiled, escapes[place]), path);
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
      return (...rendering) => items.map((item) => item(...rendering));
    }
    if (typeof value === 'object' && value !== null && isPlain(value)) {
      const fields: [string, Node][] = [];
      for (const [key, item] of Object.entries(value)) {
        length += key.length + 1;
        if (length > maxSource) break;
        fields.push([key, nodeOf(item, [...path, key])]);
      }
      // By entries, as a key may be called __proto__.
      return (...rendering) => Object.fromEntries(fields.map(([key, item]) => [key, item(...rendering)]));
    }
    if (value === null || typeof value === 'boolean' || Number.isFinite(value)) return () => value;
    return refuse(`must be JSON, not ${kindOf(value)}`);
  }

  const root = nodeOf(document, []);
  if (length > maxSource) {
    issues.splice(0, issues.length, { path: [], message: `must have at most ${maxSource / 1024} KiB` });
  } else if (parts > maxParts) {
    issues.push({ path: [], message: tooManyParts });
  }
  if (issues.length > 0) throw new PosthornError('invalid_template', describeIssues(issues), { issues });
  return {
    render(context) {
      let spent = 0;
      const spend = (characters: number): void => {
        spent += characters;
        checkOutput(spent);
      };
      return root(beginRendering(context), spend);
    },
  };
}

const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
};

/** The same node, whose errors say where in the document it is. */
const named =
  (node: Node, path: Issue['path']): Node =>
  (...rendering) => {
    try {
      return node(...rendering);
    } catch (error) {
      const issues = [{ path, message: renderFault(error).message }];
      throw new PosthornError('invalid_template', describeIssues(issues), { issues });
    }
  };

function leafOf(compiled: Compiled, escaping: Escape): Node {
  const [only, ...others] = compiled.templates;
  if (only instanceof Output && others.length === 0) {
    return (rendering, spend) => {
      let value: unknown;
      const write = (chunk: unknown): void => {
        value = chunk instanceof Shown ? chunk.value : chunk;
      };
      rendering(compiled, { buffer: '', write });
      return jsonValue(value, escaping, spend);
    };
  }
  return (rendering, spend) => {
    const emitter = textEmitter(escaping);
    rendering(compiled, emitter);
    spend(emitter.buffer.length + 2);
    return emitter.buffer;
  };
}

/** A copy of `value` as JSON has it, texts escaped, undefined an empty one. `spend` is told of each character as it comes. */
export function jsonValue(value: unknown, escaping: Escape, spend: (characters: number) => void): unknown {
  const isEscaped = value instanceof Rendered;
  const plain = toValue(value === undefined ? '' : value);
  if (typeof plain === 'string') {
    const text = isEscaped ? plain : escaping(plain);
    spend(text.length + 2);
    return text;
  }
  if (typeof plain !== 'object' || plain === null) {
    spend(5);
    return typeof plain === 'number' && !Number.isFinite(plain) ? null : plain;
  }
  spend(2);
  if (Array.isArray(plain)) return plain.map((item) => jsonValue(item, escaping, spend));
  return Object.fromEntries(
    Object.entries(plain).map(([key, item]) => {
      spend(key.length + 4);
      return [key, jsonValue(item, escaping, spend)];
    }),
  );
}
