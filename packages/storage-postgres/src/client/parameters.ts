/** The values of a statement, and their placeholders in its text. */
export interface Parameters {
  readonly values: readonly unknown[];
  /** Adds a value, which is a text, a number or null, and returns its placeholder: `$3::text`. */
  readonly as: (type: 'text' | 'json' | 'integer' | 'bigint' | 'boolean', value: unknown) => string;
}

/**
 * Creates the parameters of a statement whose text depends on its filters. One text for all cases, with conditions like
 * "is null or", would keep the planner from using the indexes.
 */
export function parameters(): Parameters {
  const values: unknown[] = [];
  return { values, as: (type, value) => `$${values.push(value)}::${type}` };
}
