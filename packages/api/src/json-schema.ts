import { z } from 'zod';

type Json = Record<string, unknown>;

/** A schema in the document; those with a name of their own become components, and are referred to. */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output', components: Json): Json {
  const { $schema, $defs, ...json } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      const meta = z.globalRegistry.get(zodSchema as unknown as z.ZodType);
      const said = meta?.query as Json | undefined;
      if (said) {
        for (const key of Object.keys(jsonSchema)) if (key !== 'description') delete jsonSchema[key as never];
        Object.assign(jsonSchema, said);
      }
      // It leaves the default out where text is read as something else.
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
