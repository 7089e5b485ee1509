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

/** They read text as an expression: what an event holds must not be one. */
const expanding = /_exp$/;

const asIs: Filter = (value) => value;

/**
 * Makes an engine's filters ours: what they take and give is paid for before there is too much of it, and none brings a
 * value past its escaping.
 */
export function registerFilters(engine: Liquid, place: Place, isJsonText: boolean): void {
  const own: Record<string, Filter> = { link, json };
  if (place === 'html' || place === 'mrkdwn') {
    // It happens anyway, and must not happen twice.
    for (const name of ['escape', 'xml_escape', 'escape_once']) own[name] = asIs;
  }
  if (place === 'html') own.newline_to_br = lineBreaks;
  if (isJsonText) {
    own.json = (value) => new AsJson(value);
  }
  own.jsonify = own.json!;
  own.inspect = json;
  const all = { ...filters, ...numberFilters, ...dateFilters, ...arrayFilters, raw: asIs, ...own };
  for (const [name, filter] of Object.entries(all)) {
    const handler = (typeof filter === 'function' ? filter : asIs) as Filter;
    engine.registerFilter(name, paidFor(name in own ? handler : onText(handler)));
  }
  for (const name of Object.keys(filters)) if (expanding.test(name)) engine.unregisterFilter(name);
  if (place !== 'plain' && place !== 'header') engine.unregisterFilter('raw');
}

/** What was captured is a text to liquidjs' own filters. */
const onText = (filter: Filter): Filter =>
  function (...values) {
    return filter.apply(
      this,
      values.map((value) => (value instanceof Rendered ? value.valueOf() : value)),
    );
  };

const paidFor = (filter: Filter): Filter =>
  function* (...values): Generator<unknown, unknown, unknown> {
    const { memoryLimit } = this.context;
    memoryLimit.use(sizeOf(values));
    const result = yield filter.apply(this, values);
    memoryLimit.use(sizeOf(result));
    return result;
  };

/** The characters and items of a value, counted as far as the limit goes. */
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

/** In HTML text, a line break is an element; the lines are values. */
const lineBreaks: Filter = (value) =>
  value instanceof Rendered
    ? value
    : new Rendered(
        String(toValue(value) ?? '')
          .split(/\r?\n/)
          .map(marked)
          .join('<br />\n'),
      );

/** At the indent that is asked for. */
const json: Filter = (value, space) => writeJson(toValue(value), Number(toValue(space)) || 0);

const link: Filter = (value) => linkAddress(String(toValue(value) ?? ''));
