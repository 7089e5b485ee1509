import type { StandardSchemaV1 } from '@standard-schema/spec';
import { describeIssues, describeType, invalidWebhook, isPosthornError, PosthornError } from '../errors.js';
import { matchKeys, parseEventType } from '../matching.js';
import { isRawJson, parseRawJson, type RawJson } from './raw-json.js';

/** The application's event types, each with a schema of its payload. Zod, Valibot, ArkType: any Standard Schema. */
export type EventCatalog = Readonly<Record<string, StandardSchemaV1>>;

/** The event types that may be dispatched: those of the catalog, or any without one. */
export type EventTypeOf<Catalog extends EventCatalog> = keyof Catalog & string;

/** The payload that `dispatch` takes for `Type`: the input of its schema, or JSON text of it. Anything without a catalog. */
export type PayloadOf<Catalog extends EventCatalog, Type extends EventTypeOf<Catalog>> =
  | StandardSchemaV1.InferInput<Catalog[Type]>
  | RawJson;

/**
 * Declares the application's events. Hand the result to `createDispatcher`: `dispatch` is then typed by it, and checks each
 * payload before anything is stored. A schema checks and does not transform: the payload is sent as it was given. Throws
 * `invalid_event_type` for a name and `invalid_option` for a schema.
 */
export function defineEvents<const Catalog extends EventCatalog>(catalog: Catalog): Catalog {
  if (typeof catalog !== 'object' || catalog === null) {
    throw new PosthornError(
      'invalid_option',
      `defineEvents takes an object of schemas, not ${describeType(catalog)}`,
    );
  }
  for (const [type, schema] of Object.entries(catalog)) {
    parseEventType(type);
    if (typeof (schema as Partial<StandardSchemaV1> | null)?.['~standard']?.validate !== 'function') {
      throw new PosthornError(
        'invalid_option',
        `events['${type}'] must be a Standard Schema, not ${describeType(schema)}`,
      );
    }
  }
  return Object.freeze(Object.assign(Object.create(null), catalog));
}

/** Checks `payload` by the schema of `type`. Rejects with `unknown_event_type` or `invalid_payload`. */
export async function checkPayload(catalog: EventCatalog, type: string, payload: unknown): Promise<void> {
  const schema = Object.hasOwn(catalog, type) ? catalog[type] : undefined;
  if (!schema) throw new PosthornError('unknown_event_type', `event type ${type} is not in the catalog`);
  const value = isRawJson(payload) ? parseRawJson(payload) : payload;
  const result = await validate(schema, value, 'invalid_payload', `payload of ${type}`);
  if ('issues' in result) {
    throw new PosthornError(
      'invalid_payload',
      `payload of ${type} is not valid: ${describeIssues(result.issues)}`,
      result,
    );
  }
}

/**
 * Checks event types and patterns against the catalog: a name that is not in it is a mistake, and a pattern that matches
 * nothing in it may be one. Throws `invalid_webhook`.
 */
export function checkNames(
  eventTypes: readonly string[],
  catalog: EventCatalog | undefined,
  refusesUnmatched: boolean,
): void {
  if (!catalog) return;
  const covered = new Set(refusesUnmatched ? Object.keys(catalog).flatMap(matchKeys) : []);
  const issues = eventTypes.flatMap((name, i) => {
    const isPattern = name.includes('*');
    if (isPattern ? !refusesUnmatched || covered.has(name) : Object.hasOwn(catalog, name)) return [];
    const message = isPattern ? `${name} matches nothing in the catalog` : `${name} is not in the catalog`;
    return [{ path: ['eventTypes', i], message }];
  });
  if (issues.length > 0) throw invalidWebhook(issues);
}

/** Validates `value` by a Standard Schema. Resolves to its output, or to issues with plain paths. Never rejects with a foreign error. */
export async function validate<Output>(
  schema: StandardSchemaV1<unknown, Output>,
  value: unknown,
  code: 'invalid_payload' | 'invalid_webhook',
  what: string,
): Promise<{ value: Output } | { issues: { path: (string | number)[]; message: string }[] }> {
  let result: StandardSchemaV1.Result<Output>;
  try {
    result = await schema['~standard'].validate(value);
  } catch (cause) {
    if (isPosthornError(cause)) throw cause;
    throw new PosthornError(code, `${what} cannot be checked: its schema threw`, { cause });
  }
  if (!result.issues) return { value: result.value };
  return {
    issues: result.issues.map((issue) => ({
      path: (issue.path ?? []).map((part) => {
        const key = typeof part === 'object' ? part.key : part;
        return typeof key === 'number' ? key : String(key);
      }),
      message: issue.message,
    })),
  };
}
