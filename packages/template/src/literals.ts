import { type Template, TypeGuards, toValueSync, Value } from 'liquidjs';
import { decimalIn, writtenOut } from './decimal.js';
import { numberOf } from './written-number.js';

/**
 * Makes the numbers that a template says itself those that it says: to liquidjs `7.0` is 7, which divides otherwise, and
 * what is beyond 2^53 another number.
 */
export function keepLiterals(templates: Iterable<Template>): void {
  for (const template of templates) {
    for (const argument of template.arguments?.() ?? []) if (argument instanceof Value) keepIn(argument);
    if (template.children) keepLiterals(toValueSync(template.children(false, true)) as Template[]);
  }
}

function keepIn({ initial, filters }: Value): void {
  const given = filters.flatMap(({ args }) => args.map((arg) => (Array.isArray(arg) ? arg[1] : arg)));
  for (const token of [...initial.postfix, ...given]) {
    if (!TypeGuards.isNumberToken(token)) continue;
    const text = token.getText().replace('+', '');
    const value = decimalIn(text);
    // Typed as a number; filters and operators take ours.
    if (value) token.content = numberOf(writtenOut(value, !text.includes('.'))) as number;
  }
}
