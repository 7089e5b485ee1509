import { type Context, filters, type Liquid, toValue } from 'liquidjs';
import { arrayFilters } from './array-filters.js';
import { dateFilters } from './date-filters.js';
import { writeJson } from './exact-json.js';
import { maxMemory } from './limits.js';
import { marked } from './marks.js';
import { numberFilters } from './number-filters.js';
import { linkAddress, type Place } from './place.js';
import { AsJson, Rendered } from './shown.js';
import { WrittenNumber } from './written-number.js';

type Filter = (this: { readonly context: Context }, ...values: unknown[]) => unknown;

/** Filters that evaluate text as an expression. Text of an event must never be evaluated. */
const expanding = /_exp$/;

const identity: Filter = (value) => value;

/**
 * Replaces the filters of an engine. Their inputs and outputs count against the memory limit, and no filter bypasses
 * the escaping of a value.
 */
export function registerFilters(engine: Liquid, place: Place, isJsonText: boolean): void {
  const own: Record<string, Filter> = { link, json };
  if (place === 'html' || place === 'mrkdwn') {
    // Values are escaped anyway, and must not be escaped twice.
    for (const name of ['escape', 'xml_escape', 'escape_once']) own[name] = identity;
  }
  if (place === 'html') own.newline_to_br = lineBreaks;
  if (isJsonText) {
    own.json = (value) => new AsJson(value);
  }
  own.jsonify = own.json!;
  own.inspect = json;
  const all = { ...filters, ...numberFilters, ...dateFilters, ...arrayFilters, raw: identity, ...own };
  for (const [name, filter] of Object.entries(all)) {
    const handler = (typeof filter === 'function' ? filter : identity) as Filter;
    engine.registerFilter(name, metered(name in own ? handler : onText(handler)));
  }
  for (const name of Object.keys(filters)) if (expanding.test(name)) engine.unregisterFilter(name);
  if (place !== 'plain' && place !== 'header') engine.unregisterFilter('raw');
}

/** Passes captured text to a liquidjs filter as a string. */
const onText = (filter: Filter): Filter =>
  function (...values) {
    return filter.apply(
      this,
      values.map((value) => (value instanceof Rendered ? value.valueOf() : value)),
    );
  };

const metered = (filter: Filter): Filter =>
  function* (...values): Generator<unknown, unknown, unknown> {
    const { memoryLimit } = this.context;
    memoryLimit.use(sizeOf(values));
    const result = yield filter.apply(this, values);
    memoryLimit.use(sizeOf(result));
    return result;
  };

/** Counts the characters and items of a value, up to the limit. */
function sizeOf(value: unknown, upTo: number = maxMemory): number {
  if (typeof value === 'string') return value.length;
  if (value instanceof WrittenNumber) return String(value).length;
  if (typeof value !== 'object' || value === null) return 1;
  if (value instanceof Rendered) return value.text.length;
  let size = 1;
  for (const [key, item] of Array.isArray(value) ? value.entries() : Object.entries(value)) {
    if (size > upTo) break;
    size += (typeof key === 'string' ? key.length : 0) + sizeOf(item, upTo - size);
  }
  return size;
}

/** Replaces line breaks by `<br />` in HTML. The lines remain values to be escaped. */
const lineBreaks: Filter = (value) =>
  value instanceof Rendered
    ? value
    : new Rendered(
        String(toValue(value) ?? '')
          .split(/\r?\n/)
          .map(marked)
          .join('<br />\n'),
      );

/** Serializes a value as JSON, with an optional indent. */
const json: Filter = (value, space) => writeJson(toValue(value), Number(toValue(space)) || 0);

const link: Filter = (value) => linkAddress(String(toValue(value) ?? ''));
