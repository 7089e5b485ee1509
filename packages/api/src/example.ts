type Schema = Readonly<Record<string, unknown>>;

const maxDepth = 8;
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

/** A value that a JSON Schema (draft 2020-12) describes: its own example, or a plain one. It may not keep every rule. */
export function exampleOf(schema: Schema, root: Schema = schema, depth = 0): unknown {
  if (depth > maxDepth) return null;
  const { examples, $ref, type, properties } = schema;
  if (Array.isArray(examples) && examples.length > 0) return examples[0];
  for (const given of ['default', 'const'] as const) if (given in schema) return schema[given];
  const below = (inner: unknown): unknown => exampleOf(inner as Schema, root, depth + 1);
  if (typeof $ref === 'string') return below(resolved($ref, root));
  for (const choice of ['enum', 'anyOf', 'oneOf'] as const) {
    const [first] = Array.isArray(schema[choice]) ? (schema[choice] as unknown[]) : [];
    if (first !== undefined) return choice === 'enum' ? first : below(first);
  }
  if (Array.isArray(schema.allOf)) return Object.assign({}, ...schema.allOf.map(below));
  switch (Array.isArray(type) ? type[0] : type) {
    case 'object': {
      const required = new Set(Array.isArray(schema.required) ? schema.required : []);
      return Object.fromEntries(
        Object.entries((properties ?? {}) as Schema)
          .filter(([name]) => required.has(name))
          .map(([name, inner]) => [name, below(inner)]),
      );
    }
    case 'array':
      return Array.from({ length: Number(schema.minItems ?? (schema.items ? 1 : 0)) }, () =>
        below(schema.items ?? {}),
      );
    case 'string':
      return formats[String(schema.format)] ?? 'text'.padEnd(Number(schema.minLength ?? 0), '.');
    case 'integer':
    case 'number':
      return numberOf(schema);
    case 'boolean':
      return true;
    default:
      return null;
  }
}

function numberOf({ minimum, exclusiveMinimum, maximum }: Schema): number {
  if (typeof minimum === 'number' && minimum > -1e15) return minimum;
  if (typeof exclusiveMinimum === 'number') return exclusiveMinimum + 1;
  return typeof maximum === 'number' && maximum < 42 ? maximum : 42;
}

function resolved(ref: string, root: Schema): Schema {
  const path = ref.replace(/^#\/?/, '').split('/').filter(Boolean);
  return (path.reduce<unknown>((at, key) => (at as Schema | undefined)?.[key], root) ?? {}) as Schema;
}
