/** The values of a statement, and the places where they stand in its text. */
export interface Parameters {
  readonly values: readonly unknown[];
  /** Takes a value, as text or a number or null, and returns how the text names it: `$3::text`. */
  readonly as: (type: 'text' | 'json' | 'integer' | 'bigint' | 'boolean', value: unknown) => string;
}

/**
 * For a statement whose text is made of what is asked for. One text for all cases, with conditions like "is null or",
 * would keep the planner from the indexes.
 */
export function parameters(): Parameters {
  const values: unknown[] = [];
  return { values, as: (type, value) => `$${values.push(value)}::${type}` };
}
