import type { EventCatalog } from '@posthorn/core';
import { exampleOf } from './example.js';
import { within } from './within.js';

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

/** How long a catalog's validator may take for an example. */
const validForMs = 1_000;

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
    if (!jsonSchema) return null;
    // Through JSON, so that what goes out later is sure to be some: a bigint is none, nor is a circle.
    const said = JSON.parse(JSON.stringify(jsonSchema.input({ target: 'draft-2020-12' })));
    const { $schema: _, ...rest } = said;
    return rest;
  } catch {
    // There are schemas without a JSON form: of a Date, a transform, a class.
    return null;
  }
}

/**
 * What is made from a schema need not keep all its rules: it is shown only if the catalog takes it, and says so soon,
 * for a validator may ask anybody.
 */
async function validExample(schema: Record<string, unknown>, standard: Schema): Promise<unknown> {
  try {
    const example = exampleOf(schema);
    const result = await within(validForMs, standard['~standard'].validate(example), null);
    return result === null || result.issues ? undefined : example;
  } catch {
    return undefined;
  }
}
