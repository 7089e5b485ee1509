import { type Template, TypeGuards, toValueSync, Value } from 'liquidjs';
import { decimalIn, writtenOut } from './decimal.js';
import { numberOf } from './written-number.js';

/**
 * Keeps the exact value of number literals in a template. liquidjs turns `7.0` into 7, which divides differently, and
 * changes integers beyond 2^53.
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
    // liquidjs expects a number. Our filters and its operators also accept `WrittenNumber`.
    if (value) token.content = numberOf(writtenOut(value, !text.includes('.'))) as number;
  }
}
