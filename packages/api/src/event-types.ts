import type { EventCatalog } from '@posthorn/core';
import { exampleOf } from './example.js';

/** A type of the application's catalog, with what is known of its payload. */
export interface EventType {
  readonly eventType: string;
  readonly description: string | null;
  /** JSON Schema, draft 2020-12; null where the catalog's schema cannot say. */
  readonly schema: Readonly<Record<string, unknown>> | null;
  /** A payload that the catalog takes: of the schema's own examples, or made from it. Undefined where there is none. */
  readonly example: unknown;
}

type Schema = EventCatalog[string];

/** As Standard JSON Schema has it: an addition to Standard Schema that many of its makers have. */
interface SaysJsonSchema {
  readonly jsonSchema?: { input(options: { readonly target: string }): Record<string, unknown> };
}

/** The types of a catalog by their names; none where there is no catalog. */
export async function eventTypesOf(catalog: EventCatalog | undefined): Promise<readonly EventType[]> {
  const names = Object.keys(catalog ?? {}).sort();
  return Promise.all(names.map((name) => eventTypeOf(name, catalog![name]!)));
}

async function eventTypeOf(eventType: string, standard: Schema): Promise<EventType> {
  const schema = jsonSchemaOf(standard);
  return {
    eventType,
    description: typeof schema?.description === 'string' ? schema.description : null,
    schema,
    example: schema === null ? undefined : await validExample(schema, standard),
  };
}

function jsonSchemaOf(schema: Schema): Record<string, unknown> | null {
  try {
    const { jsonSchema } = schema['~standard'] as SaysJsonSchema;
    const { $schema: _, ...said } = jsonSchema?.input({ target: 'draft-2020-12' }) ?? {};
    return jsonSchema ? said : null;
  } catch {
    // There are schemas without a JSON form: of a Date, a transform, a class.
    return null;
  }
}

/** What is made from a schema need not keep all its rules: it is shown only if the catalog takes it. */
async function validExample(schema: Record<string, unknown>, standard: Schema): Promise<unknown> {
  const example = exampleOf(schema);
  try {
    const result = await standard['~standard'].validate(example);
    return result.issues ? undefined : example;
  } catch {
    return undefined;
  }
}
