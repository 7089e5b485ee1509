import { isPosthornError } from '@posthorn/core';
import {
  type Emitter,
  Liquid,
  Parser,
  type Template,
  Tokenizer,
  type TopLevelToken,
  TypeGuards,
  toValueSync,
} from 'liquidjs';
import { withSingleBraces } from './braces.js';
import type { TemplateContext } from './context.js';
import { faultAt, parseFault, renderFault } from './fault.js';
import { registerFilters } from './filters.js';
import { maxDepth, maxMemory, maxParts, maxSource } from './limits.js';
import { keepLiterals } from './literals.js';
import { OwnContext } from './own-context.js';
import type { Place } from './place.js';
import { Shown } from './shown.js';
import { registerTags } from './tags.js';

/** A parsed template and the engine that renders it. */
export interface Compiled {
  readonly engine: Liquid;
  readonly templates: Template[];
  /** The number of placeholders and tags. */
  readonly parts: number;
}

/** One engine per place, and another per place for JSON texts. */
const engines = new Map<string, Liquid>();

function engineFor(place: Place, isJsonText: boolean): Liquid {
  const key = `${place} ${isJsonText}`;
  const known = engines.get(key);
  if (known) return known;
  const engine = new Liquid({
    ownPropertyOnly: true,
    strictFilters: true,
    memoryLimit: maxMemory,
    // liquidjs expects a string. Our emitters also accept `Shown`.
    outputEscape: (value: unknown) => new Shown(value) as unknown as string,
    // The output must not depend on the machine: no files, no locale, no time zone.
    templates: {},
    locale: 'en-US',
    timezoneOffset: 0,
  });
  registerTags(engine);
  registerFilters(engine, place, isJsonText);
  engines.set(key, engine);
  return engine;
}

/** The most recently used templates, up to `maxCached` characters of source. */
const cache = new Map<string, Compiled>();
const maxCached = 4 * 1024 * 1024;
let cached = 0;

/** Parses a template, or returns it from the cache. Throws `invalid_template` with line and column. */
export function compile(source: string, place: Place, isJsonText = false): Compiled {
  const key = `${place} ${isJsonText} ${source}`;
  const known = cache.get(key);
  if (known) {
    cache.delete(key);
    cache.set(key, known);
    return known;
  }
  const compiled = parse(source, engineFor(place, isJsonText));
  cache.set(key, compiled);
  cached += key.length;
  for (const oldest of cache.keys()) {
    if (cached <= maxCached) break;
    cache.delete(oldest);
    cached -= oldest.length;
  }
  return compiled;
}

function parse(source: string, engine: Liquid): Compiled {
  if (source.length > maxSource || Buffer.byteLength(source) > maxSource) {
    throw faultAt(1, 1, `must have at most ${maxSource / 1024} KiB`);
  }
  // Counting the openings is faster than tokenizing.
  if (source.split(/\{[{%]/).length - 1 > maxParts) throw faultAt(1, 1, tooManyParts);
  try {
    const { options } = engine;
    const tokens = withSingleBraces(
      new Tokenizer(source, options.operators).readTopLevelTokens(options),
      engine,
    );
    checkNesting(tokens);
    const parts = tokens.reduce((sum, token) => sum + partsIn(token), 0);
    if (parts > maxParts) throw faultAt(1, 1, tooManyParts);
    const templates = new Parser(engine).parseTokens(tokens);
    keepLiterals(templates);
    return { engine, templates, parts };
  } catch (error) {
    throw isPosthornError(error) ? error : parseFault(error);
  }
}

export const tooManyParts = `must have at most ${maxParts} placeholders and tags`;

/** Counts the placeholders and tags of a token. A `liquid` tag contains one more per line. */
function partsIn(token: TopLevelToken): number {
  if (TypeGuards.isHTMLToken(token)) return 0;
  return TypeGuards.isTagToken(token) && token.name === 'liquid' ? token.args.split('\n').length + 1 : 1;
}

/** Limits nesting, because rendering uses stack for each level. Throws `invalid_template`. */
function checkNesting(tokens: readonly TopLevelToken[]): void {
  let depth = 0;
  for (const token of tokens) {
    if (!TypeGuards.isTagToken(token)) continue;
    if (token.name.startsWith('end')) depth--;
    else if (blocks.has(token.name)) depth++;
    if (depth > maxDepth) throw faultAt(1, 1, `must have tags at most ${maxDepth} levels deep`);
  }
}

const blocks = new Set(['if', 'unless', 'for', 'case', 'tablerow', 'capture', 'comment']);

/** Renders a template. The templates of one message share its context and its limits. */
export type Rendering = (compiled: Compiled, emitter: Emitter) => void;

/** Creates the renderer of one message. The returned function throws `invalid_template`. */
export function beginRendering(context: TemplateContext): Rendering {
  let limits: OwnContext | undefined;
  return ({ engine, templates }, emitter) => {
    // A copy, because `increment` writes to it.
    const scope = Object.assign(Object.create(null), context);
    const own = new OwnContext(scope, engine, limits);
    limits ??= own;
    try {
      toValueSync(engine.renderer.renderTemplates(templates, own, emitter));
    } catch (error) {
      throw renderFault(error);
    }
  };
}
