import { placed, unmarked } from './marks.js';
import type { Place } from './place.js';
import { WrittenNumber } from './written-number.js';

/**
 * Returns the place of a string in a JSON document, by its path and by the string field `type` of the object that
 * contains it, if there is one.
 */
export type PlaceOf = (path: readonly (string | number)[], type: string | undefined) => Place;

/** Escapes the values in the strings of a rendered document. Calls `spend` with the length of each string. */
export function placedDocument(
  document: unknown,
  placeOf: PlaceOf,
  spend: (characters: number) => void,
): unknown {
  function shown(value: unknown, path: readonly (string | number)[], type: string | undefined): unknown {
    if (typeof value === 'string') {
      const text = placed(value, placeOf(path, type));
      spend(text.length);
      return text;
    }
    if (typeof value !== 'object' || value === null || value instanceof WrittenNumber) return value;
    if (Array.isArray(value)) return value.map((item, at) => shown(item, [...path, at], type));
    const fields = value as Readonly<Record<string, unknown>>;
    const own = Object.hasOwn(fields, 'type') && typeof fields.type === 'string' ? fields.type : undefined;
    const typeOfFields = own === undefined ? undefined : unmarked(own);
    // From entries, because a key may be called __proto__.
    return Object.fromEntries(
      Object.entries(fields).map(([key, item]) => [key, shown(item, [...path, key], typeOfFields)]),
    );
  }
  return shown(document, [], undefined);
}
