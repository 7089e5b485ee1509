type Schema = Readonly<Record<string, unknown>>;

/** Keywords that hold values, not schemas: a `$ref` in them is no reference. */
const holdsValues = new Set(['const', 'default', 'enum', 'examples']);
/** Keywords that hold named schemas; the names are no keywords. */
const holdsNamed = new Set(['$defs', 'definitions', 'dependentSchemas', 'patternProperties', 'properties']);

/**
 * Rewrites a JSON Schema to be embedded at `place` of another document, a JSON Pointer like
 * `#/components/schemas/Order`. Its references to itself, `#` and `#/…`, then lead to that place. Its own `$id` is
 * removed, because references would resolve against it.
 */
export function relocated({ $id, ...schema }: Schema, place: string): Schema {
  const isPointer = (ref: string) => ref === '#' || ref.startsWith('#/');

  function located(ref: string): string {
    const inside = typeof $id === 'string' && ref.startsWith(`${$id}#`) ? ref.slice($id.length) : ref;
    return isPointer(inside) ? place + inside.slice(1) : ref;
  }

  function schemaOf(at: unknown): unknown {
    if (Array.isArray(at)) return at.map(schemaOf);
    if (typeof at !== 'object' || at === null) return at;
    return Object.fromEntries(
      Object.entries(at)
        // `id` is no keyword of JSON Schema, but some readers fail on it. zod leaves it on schemas with a name.
        .filter(([keyword, value]) => !(keyword === 'id' && typeof value === 'string'))
        .map(([keyword, value]) => [keyword, kept(keyword, value)]),
    );
  }

  function kept(keyword: string, value: unknown): unknown {
    if (keyword === '$ref' && typeof value === 'string') return located(value);
    if (holdsValues.has(keyword)) return value;
    if (!holdsNamed.has(keyword) || typeof value !== 'object' || value === null) return schemaOf(value);
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, schemaOf(inner)]));
  }

  return schemaOf(schema) as Schema;
}
