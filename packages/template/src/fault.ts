import { isPosthornError, PosthornError } from '@posthorn/core';
import { LiquidError, type Token } from 'liquidjs';
import { maxOutput, renderMs } from './limits.js';

/**
 * Creates the error of an invalid template. Line and column start at 1. The error has no cause: errors of liquidjs
 * contain the template and may quote the event.
 */
export function faultAt(line: number, column: number, reason: string): PosthornError {
  const message = `line ${line}, column ${column}: ${reason}`;
  return new PosthornError('invalid_template', message, { issues: [{ path: [], message }] });
}

/** Converts an index in a text to line and column, both starting at 1. */
export function placeIn(text: string, at: number): [line: number, column: number] {
  const before = text.slice(0, at).split('\n');
  return [before.length, before.at(-1)!.length + 1];
}

const name = '(["\']?)([\\w-]{1,40})\\1';

const tooDeep = 'is nested too deeply';

/** Messages that replace those of liquidjs, which quote the template and may reveal confidential text. */
const parseReasons: readonly (readonly [RegExp, string])[] = [
  [/^output .* not closed/s, '{{ is not closed'],
  [/^(?:raw|tag) .* not closed/s, 'the tag is not closed'],
  [new RegExp(`^refused tag: ${name}`), 'the tag $2 is refused: templates cannot read other templates'],
  [new RegExp(`^tag ${name} not found`), 'unknown tag $2'],
  [/^undefined filter: raw\b/, 'the filter raw is refused: values are always escaped here'],
  [/^undefined filter: (\w{1,36}_exp)\b/, 'the filter $1 is refused: it evaluates text as an expression'],
  [new RegExp(`^undefined filter: ${name}`), 'unknown filter $2'],
  [/^expected "\|" before filter/, 'expected | before a filter'],
  [/^expected ":" after filter name/, 'expected : after a filter name'],
  [/^expected filter name/, 'expected a filter name'],
  [/^expected variable name/, 'expected a variable name'],
  [/^expected "="/, 'expected ='],
  [/^\[ not closed/, '[ is not closed'],
  [/^invalid range syntax/, 'a range must look like (1..5)'],
  [/^invalid value expression/, 'expected a value'],
  [/^illegal tag syntax/, 'expected a tag name'],
  [/^illegal tag/, 'the tag is malformed'],
  [/^Maximum call stack/, tooDeep],
  [/^unexpected (?:token|character)/, 'unexpected character'],
];

/** Converts an error of the parser. */
export function parseFault(error: unknown): PosthornError {
  if (error instanceof RangeError) return faultAt(1, 1, tooDeep);
  if (!LiquidError.is(error)) throw error;
  const [line = 1, column = 1] = tokenOf(error).getPosition();
  return faultAt(line, column, reasonOf((error as Error).message) ?? 'is not valid Liquid');
}

function reasonOf(message: string): string | undefined {
  for (const [pattern, reason] of parseReasons) {
    const match = pattern.exec(message);
    if (match) return reason.replace(/\$(\d)/g, (_, group) => match[Number(group)] ?? '');
  }
  return undefined;
}

export const tooMuch = `renders to more than ${maxOutput / 1024} KiB`;

const renderReasons: readonly (readonly [RegExp, string])[] = [
  [/^template render limit exceeded/, `takes longer than ${renderMs} ms`],
  [/^memory alloc limit exceeded/, 'needs too much memory'],
  [/^a backslash before a placeholder/, 'a placeholder must not follow a backslash'],
  [/^output limit exceeded/, tooMuch],
];

/** Converts an error of rendering. Uses the position of `token` if the error has none. */
export function renderFault(error: unknown, token?: Token): PosthornError {
  if (isPosthornError(error)) return error;
  const message = error instanceof Error ? error.message : '';
  const [, reason = 'cannot be rendered'] = renderReasons.find(([pattern]) => pattern.test(message)) ?? [];
  const [line = 1, column = 1] = (LiquidError.is(error) ? tokenOf(error) : token)?.getPosition() ?? [];
  return faultAt(line, column, reason);
}

const tokenOf = (error: unknown): Token => (error as { readonly token: Token }).token;
