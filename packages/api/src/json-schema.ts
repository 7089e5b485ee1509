import { z } from 'zod';

type Json = Record<string, unknown>;

/** Converts a zod schema for the document. Schemas with an `id` become components and are referenced. */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output', components: Json): Json {
  const { $schema, $defs, ...json } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      const meta = z.globalRegistry.get(zodSchema as unknown as z.ZodType);
      const asQuery = meta?.query as Json | undefined;
      if (asQuery) {
        for (const key of Object.keys(jsonSchema)) if (key !== 'description') delete jsonSchema[key as never];
        Object.assign(jsonSchema, asQuery);
      }
      // zod leaves out the default of a schema that transforms text.
      const { def } = zodSchema._zod;
      if (io === 'input' && def.type === 'default') jsonSchema.default = def.defaultValue as never;
      delete (jsonSchema as Json).id;
    },
  }) as Json;
  const located = JSON.parse(
    JSON.stringify({ json, $defs: $defs ?? {} }).replaceAll('"#/$defs/', '"#/components/schemas/'),
  );
  Object.assign(components, located.$defs);
  return located.json;
}
