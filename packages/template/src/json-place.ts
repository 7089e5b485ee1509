import { placed, unmarked } from './marks.js';
import type { Place } from './place.js';
import { WrittenNumber } from './written-number.js';

/**
 * In which place the texts of a JSON document land: by the way to each, and by the text `type` of the object that it
 * stands in, if that has one.
 */
export type PlaceOf = (path: readonly (string | number)[], type: string | undefined) => Place;

/** A rendered document as it is shown: the values in its texts escaped, each once. `spend` is told of each text. */
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
    // By entries, as a key may be called __proto__.
    return Object.fromEntries(
      Object.entries(fields).map(([key, item]) => [key, shown(item, [...path, key], typeOfFields)]),
    );
  }
  return shown(document, [], undefined);
}
