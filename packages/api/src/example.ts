type Schema = Readonly<Record<string, unknown>>;

const maxDepth = 8;
/** Examples are for people to read, so they must be short. */
const maxValues = 200;
const maxCharacters = 1_000;

const formats: Readonly<Record<string, string>> = {
  __proto__: null as never,
  'date-time': '2026-01-31T12:00:00Z',
  date: '2026-01-31',
  time: '12:00:00Z',
  email: 'ada@example.com',
  uri: 'https://example.com',
  uuid: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
  ipv4: '192.0.2.1',
};

/**
 * Returns a value that a JSON Schema (draft 2020-12) describes: its own example, or a simple one. The value may break
 * some rules of the schema. Throws a RangeError if it would be large.
 */
export function exampleOf(root: unknown): unknown {
  let count = 0;

  function made(schema: unknown, depth: number): unknown {
    count += 1;
    if (count > maxValues) throw new RangeError(`an example of more than ${maxValues} values`);
    // The schema `true` allows any value.
    if (depth > maxDepth || !isObject(schema)) return null;
    const { examples, $ref, type, properties } = schema;
    if (Array.isArray(examples) && examples.length > 0) return examples[0];
    for (const given of ['default', 'const']) if (Object.hasOwn(schema, given)) return schema[given];
    const below = (inner: unknown): unknown => made(inner, depth + 1);
    if (typeof $ref === 'string') return below(resolved($ref, root));
    if (Array.isArray(schema.enum) && schema.enum.length > 0) return schema.enum[0];
    for (const choices of [schema.anyOf, schema.oneOf]) {
      if (Array.isArray(choices) && choices.length > 0) return below(choices[0]);
    }
    if (Array.isArray(schema.allOf)) return Object.assign({}, ...schema.allOf.map(below));
    switch (Array.isArray(type) ? type[0] : type) {
      case 'object': {
        const required = new Set(Array.isArray(schema.required) ? schema.required : []);
        return Object.fromEntries(
          Object.entries(isObject(properties) ? properties : {})
            .filter(([name]) => required.has(name))
            .map(([name, inner]) => [name, below(inner)]),
        );
      }
      case 'array': {
        const length = Number(schema.minItems ?? (schema.items ? 1 : 0));
        if (length > maxValues) throw new RangeError(`an example of ${length} items`);
        return Array.from({ length }, () => below(schema.items));
      }
      case 'string':
        return formats[String(schema.format)] ?? textOf(schema);
      case 'integer':
      case 'number':
        return numberOf(schema);
      case 'boolean':
        return true;
      default:
        return null;
    }
  }

  return made(root, 0);
}

const isObject = (value: unknown): value is Schema => typeof value === 'object' && value !== null;

function textOf({ minLength = 0 }: Schema): string {
  if (Number(minLength) > maxCharacters) throw new RangeError(`an example of ${minLength} characters`);
  return 'text'.padEnd(Number(minLength), '.');
}

function numberOf({ minimum, exclusiveMinimum, maximum }: Schema): number {
  if (typeof minimum === 'number' && minimum > -1e15) return minimum;
  if (typeof exclusiveMinimum === 'number') return exclusiveMinimum + 1;
  return typeof maximum === 'number' && maximum < 42 ? maximum : 42;
}

/** The target of a reference within the schema; undefined if there is none, or if it is outside the schema. */
function resolved(ref: string, root: unknown): unknown {
  if (!ref.startsWith('#')) return undefined;
  const keys = decodeURIComponent(ref).split('/').slice(1);
  return keys
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((at, key) => (isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined), root);
}
