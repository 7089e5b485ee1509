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

/** A parsed template, and the engine to render it with. */
export interface Compiled {
  readonly engine: Liquid;
  readonly templates: Template[];
  /** How many placeholders and tags it has. */
  readonly parts: number;
}

/** One engine for each place, and for JSON texts one more. */
const engines = new Map<string, Liquid>();

function engineFor(place: Place, isJsonText: boolean): Liquid {
  const key = `${place} ${isJsonText}`;
  const known = engines.get(key);
  if (known) return known;
  const engine = new Liquid({
    ownPropertyOnly: true,
    strictFilters: true,
    memoryLimit: maxMemory,
    // Typed as text; our emitters take what they are given.
    outputEscape: (value: unknown) => new Shown(value) as unknown as string,
    // What is rendered must not depend on where it is: no file, no locale, no time zone of the machine.
    templates: {},
    locale: 'en-US',
    timezoneOffset: 0,
  });
  registerTags(engine);
  registerFilters(engine, place, isJsonText);
  engines.set(key, engine);
  return engine;
}

/** What was compiled last, up to some millions of characters. */
const cache = new Map<string, Compiled>();
const maxCached = 4 * 1024 * 1024;
let cached = 0;

/** Parses a template, or finds it parsed. Throws `invalid_template` with line and column. */
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
  // Before they are read, which takes longer than to count them.
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

/** A tag `liquid` has one more on each line. */
function partsIn(token: TopLevelToken): number {
  if (TypeGuards.isHTMLToken(token)) return 0;
  return TypeGuards.isTagToken(token) && token.name === 'liquid' ? token.args.split('\n').length + 1 : 1;
}

/** Rendering needs stack for each level: how much there is differs from call to call. */
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

/** What the templates of one message share: what they speak of, and what they may use up together. */
export type Rendering = (compiled: Compiled, emitter: Emitter) => void;

/** Begins a rendering. What it returns throws `invalid_template`. */
export function beginRendering(context: TemplateContext): Rendering {
  let limits: OwnContext | undefined;
  return ({ engine, templates }, emitter) => {
    // A copy, as `increment` writes to it.
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
