import type { EventCatalog } from '@posthorn/core';
import { withDeadline } from '@posthorn/core/channel';
import { exampleOf } from './example.js';

/** An event type of the application's catalog, with what is known about its payload. */
export interface EventType {
  readonly eventType: string;
  readonly description: string | null;
  /** JSON Schema, draft 2020-12; null if the catalog's schema has no JSON Schema form. */
  readonly schema: Readonly<Record<string, unknown>> | null;
  /** A valid payload: one of the schema's own examples, or one made from it. Undefined if there is none. */
  readonly example: unknown;
}

type Schema = EventCatalog[string];

/** How long a catalog's validator may take for an example. */
const validForMs = 1_000;

/** Standard JSON Schema: an addition to Standard Schema that many libraries implement. */
interface WithJsonSchema {
  readonly jsonSchema?: { input(options: { readonly target: string }): Record<string, unknown> };
}

/** The event types of a catalog, sorted by name; none without a catalog. */
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
    const { jsonSchema } = schema['~standard'] as WithJsonSchema;
    if (!jsonSchema) return null;
    // Through JSON, so that the document can be serialized later: a bigint cannot, nor can a cycle.
    const json = JSON.parse(JSON.stringify(jsonSchema.input({ target: 'draft-2020-12' })));
    const { $schema: _, ...rest } = json;
    return rest;
  } catch {
    // Some schemas have no JSON Schema form: those of a Date, a transform, a class.
    return null;
  }
}

/**
 * An example made from a schema may break some of its rules, so it is shown only if the catalog accepts it. The
 * validator has limited time, because it may ask other systems.
 */
async function validExample(schema: Record<string, unknown>, standard: Schema): Promise<unknown> {
  try {
    const example = exampleOf(schema);
    const result = await withDeadline(standard['~standard'].validate(example), validForMs, () => null);
    return result === null || result.issues ? undefined : example;
  } catch {
    return undefined;
  }
}
