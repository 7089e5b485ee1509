// biome-ignore lint/suspicious/noExplicitAny: a document as JSON has it.
type Json = Record<string, any>;

/** The API in Markdown, for people. It is generated only from the OpenAPI document. */
export function markdownOf(document: Json): string {
  const operations = Object.entries(document.paths as Json).flatMap(([path, methods]) =>
    Object.entries(methods as Json).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );
  const tags = [...new Set(operations.map(({ operation }) => operation.tags[0] as string))];
  return `${[
    '# The management API',
    '',
    '<!-- Generated from the OpenAPI document by `npx vitest run packages/api/test/documents -u`. -->',
    '',
    `${document.info.description}`,
    'Mount the API with [`@posthorn/api`](../packages/api/README.md). `GET /openapi.json` is this page for programs.',
    '',
    '- Authentication is by API key, `Authorization: Bearer sk_live_…`, or by the application itself.',
    '- Times are ISO 8601 in UTC.',
    '- Lists come in pages, newest first. Send `next_cursor` as `cursor` to get the next page.',
    '- The [glossary](glossary.md) defines the terms.',
    '',
    '## Errors',
    '',
    'Errors are `{"success": false, "status", "error": {"message", "type", "details"}}`. A request that is not valid is a 422 with',
    '`{"detail": [{"loc", "msg", "type"}]}`, one item for each place that is wrong.',
    '',
    ...errorTable(document),
    ...tags.flatMap((tag) => [
      '',
      `## ${tag}`,
      ...operations.filter(({ operation }) => operation.tags[0] === tag).flatMap(section),
    ]),
    '',
    '## Schemas',
    ...Object.entries(document.components.schemas as Json).flatMap(([name, schema]) => [
      '',
      `### ${name}`,
      '',
      ...(schema.description ? [`${schema.description}.`, ''] : []),
      ...fieldTable(schema),
      ...(schema.examples ? ['', '```json', JSON.stringify(schema.examples, null, 2), '```'] : []),
    ]),
  ].join('\n')}\n`;
}

function errorTable(document: Json): string[] {
  const all = new Map<string, string>();
  for (const methods of Object.values(document.paths as Json)) {
    for (const { responses } of Object.values(methods as Json) as Json[]) {
      for (const [status, { description }] of Object.entries(responses as Json)) {
        if (Number(status) >= 400) all.set(status, description);
      }
    }
  }
  return table(
    ['status', 'meaning'],
    [...all].sort(([a], [b]) => Number(a) - Number(b)),
  );
}

function section({ method, path, operation }: { method: string; path: string; operation: Json }): string[] {
  const { summary, description, parameters, requestBody, responses } = operation;
  const asked = parameters.filter((one: Json) => one.in !== 'path');
  const successes = Object.entries(responses as Json).filter(([status]) => Number(status) < 400);
  return [
    '',
    `### \`${method} ${path}\``,
    '',
    `${summary}.${description ? ` ${description}` : ''}`,
    '',
    ...(asked.length > 0
      ? [
          ...table(
            ['parameter', 'in', 'description'],
            asked.map((one: Json) => [
              `\`${one.name}\``,
              one.in,
              [typeOf(one.schema), descriptionOf({ ...one.schema, description: one.description })]
                .filter(Boolean)
                .join(': '),
            ]),
          ),
          '',
        ]
      : []),
    ...(requestBody ? [`Takes ${typeOf(requestBody.content['application/json'].schema)}.`] : []),
    successes.map(answerOf).join(' '),
  ];
}

function answerOf([status, { description, content }]: [string, Json]): string {
  const schema = content?.['application/json'].schema;
  return `Answers ${status}, ${lowerFirst(description)}${schema ? `: ${typeOf(schema)}` : ''}.`;
}

const lowerFirst = (text: string): string =>
  /^[A-Z][A-Z]/.test(text) ? text : text[0]!.toLowerCase() + text.slice(1);

function fieldTable({ properties = {}, required = [] }: Json): string[] {
  return table(
    ['field', 'type', 'description'],
    Object.entries(properties as Json).map(([name, schema]) => [
      `\`${name}\`${required.includes(name) ? '' : '?'}`,
      typeOf(schema),
      descriptionOf(schema),
    ]),
  );
}

const descriptionOf = (schema: Json): string =>
  [schema.description, limitsOf(schema), schema.default === undefined ? '' : `default ${schema.default}`]
    .filter(Boolean)
    .join('; ');

function limitsOf({ minLength, maxLength, minItems, maxItems, minimum, maximum }: Json): string {
  return [
    rangeOf(minLength, maxLength, ' characters'),
    rangeOf(minItems, maxItems, ' items'),
    rangeOf(minimum, maximum, ''),
  ]
    .filter(Boolean)
    .join(', ');
}

function rangeOf(min: unknown, max: unknown, unit: string): string {
  const isSafe = (n: unknown) => typeof n === 'number' && Math.abs(n) < Number.MAX_SAFE_INTEGER;
  if (isSafe(min) && isSafe(max)) return `${min} to ${max}${unit}`;
  if (isSafe(max)) return `at most ${max}${unit}`;
  return isSafe(min) ? `at least ${min}${unit}` : '';
}

/** The type of a schema in a word or two, with links to named schemas. */
function typeOf(schema: Json): string {
  const { $ref, type, items, anyOf, enum: values, const: one, format } = schema;
  if ($ref) return named($ref.split('/').at(-1));
  if (values) return values.map((value: unknown) => `\`${value}\``).join(', ');
  if (one !== undefined) return `\`${JSON.stringify(one)}\``;
  if (anyOf) return anyOf.map(typeOf).join(' or ');
  if (type === 'array') return `array of ${typeOf(items)}`;
  const results = schema.properties?.results;
  if (results) return `${schema.properties.pagination ? 'a page' : '`results`'}, ${typeOf(results)}`;
  if (Array.isArray(type)) return type.join(' or ');
  return format && format !== 'date-time' ? format : format ? 'instant' : (type ?? 'any JSON');
}

const named = (name: string): string => `[${name}](#${name.toLowerCase()})`;

function table(head: string[], rows: string[][]): string[] {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}
