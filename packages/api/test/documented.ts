import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'vitest';
import { eventTypesOf } from '../src/event-types.js';
import { openApiDocument } from '../src/openapi.js';
import type { AnyDispatcher } from '../src/route.js';
import { routesOf } from '../src/routes/routes.js';

// biome-ignore lint/suspicious/noExplicitAny: tests look into it.
type Json = Record<string, any>;

/** The document of an API over this engine. */
export async function documentOf(dispatcher: AnyDispatcher, basePath = '/v1/organizations'): Promise<Json> {
  return openApiDocument({
    routes: routesOf(dispatcher, { basePath, maxWebhooks: 10_000 }),
    basePath,
    eventTypes: await eventTypesOf(dispatcher.catalog),
  });
}

type Check = (method: string, target: string, response: Response, body: unknown) => void;
/** Cached by catalog, because compiling the schemas takes longer than most tests. */
const checks = new Map<unknown, Promise<Check>>();

/** Fails if an answer does not match the OpenAPI document. */
export function documented(dispatcher: AnyDispatcher): Promise<Check> {
  const known = checks.get(dispatcher.catalog) ?? checkOf(dispatcher);
  checks.set(dispatcher.catalog, known);
  return known;
}

async function checkOf(dispatcher: AnyDispatcher): Promise<Check> {
  const document = await documentOf(dispatcher, '');
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  (addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
  ajv.addSchema({ $id: 'api', components: document.components });
  const validators = new Map<unknown, ValidateFunction>();

  function validatorOf(schema: Json): ValidateFunction {
    const known = validators.get(schema);
    if (known) return known;
    const located = JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"api#/components'));
    const validate = ajv.compile(located);
    validators.set(schema, validate);
    return validate;
  }

  const paths = Object.keys(document.paths).map((path) => ({
    path,
    form: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+').replace('.', '\\.')}/?$`),
  }));

  return (method, target, response, body) => {
    const { status } = response;
    const pathname = target.split('?')[0]!;
    const fitting = paths.filter(({ form }) => form.test(pathname));
    const verb = (method === 'HEAD' ? 'GET' : method).toLowerCase();
    // A literal segment takes precedence over a parameter, if it takes the method.
    const path = fitting
      .sort((a, b) => a.path.length - b.path.length)
      .find(({ path }) => document.paths[path][verb])?.path;
    const operation = path && document.paths[path][verb];
    // An unknown path or method is answered, too.
    const answer = operation
      ? operation.responses[status]
      : { content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } };
    expect(answer, `${method} ${pathname} answers ${status}, which is not documented`).toBeDefined();
    if (method === 'HEAD') return;
    const schema = answer.content?.['application/json'].schema;
    if (!schema) {
      expect(body).toBeUndefined();
      return;
    }
    expect(response.headers.get('content-type')).toBe('application/json');
    const validate = validatorOf(schema);
    validate(body);
    expect(validate.errors ?? [], `${method} ${pathname} ${status}`).toEqual([]);
    // Messages are our own and say what would be valid; they are never those of a library.
    const { detail = [] } = body as { detail?: { loc: string[]; msg: string }[] };
    for (const { loc, msg } of status === 422 ? detail : []) {
      // The messages about a payload come from the application's own schema.
      if (loc[1] !== 'metadata') expect(msg).not.toMatch(/^(Invalid|Too |Expected|Unrecognized)/);
    }
  };
}
