import { isPosthornError, PosthornError } from '@posthorn/core';
import { LiquidError, type Token } from 'liquidjs';
import { maxOutput, renderMs } from './limits.js';

/**
 * The error of a template that is wrong at a place, counted from 1. It has no cause: those of liquidjs hold the template,
 * and may quote the event.
 */
export function faultAt(line: number, column: number, reason: string): PosthornError {
  const message = `line ${line}, column ${column}: ${reason}`;
  return new PosthornError('invalid_template', message, { issues: [{ path: [], message }] });
}

/** Line and column of the character at an index of a text, counted from 1. */
export function placeIn(text: string, at: number): [line: number, column: number] {
  const before = text.slice(0, at).split('\n');
  return [before.length, before.at(-1)!.length + 1];
}

const name = '(["\']?)([\\w-]{1,40})\\1';

const tooDeep = 'is nested too deep';

/** What liquidjs says, in our words: it quotes the template, which may hold what nobody is to see. */
const parseReasons: readonly (readonly [RegExp, string])[] = [
  [/^output .* not closed/s, '{{ is not closed'],
  [/^(?:raw|tag) .* not closed/s, 'the tag is not closed'],
  [new RegExp(`^refused tag: ${name}`), 'the tag $2 is refused: templates read no other templates'],
  [new RegExp(`^tag ${name} not found`), 'there is no tag called $2'],
  [/^undefined filter: raw\b/, 'the filter raw is refused: what is shown here is always escaped'],
  [/^undefined filter: (\w{1,36}_exp)\b/, 'the filter $1 is refused: it reads text as an expression'],
  [new RegExp(`^undefined filter: ${name}`), 'there is no filter called $2'],
  [/^expected "\|" before filter/, 'expected | before a filter'],
  [/^expected ":" after filter name/, 'expected : after the name of a filter'],
  [/^expected filter name/, 'expected the name of a filter'],
  [/^expected variable name/, 'expected the name of a variable'],
  [/^expected "="/, 'expected ='],
  [/^\[ not closed/, '[ is not closed'],
  [/^invalid range syntax/, 'a range must read (1..5)'],
  [/^invalid value expression/, 'expected a value'],
  [/^illegal tag syntax/, 'expected the name of a tag'],
  [/^illegal tag/, 'the tag is malformed'],
  [/^Maximum call stack/, tooDeep],
  [/^unexpected (?:token|character)/, 'unexpected character'],
];

/** The error of a template that cannot be parsed. */
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
  [/^a backslash before a placeholder/, 'a backslash must not stand before a placeholder'],
  [/^output limit exceeded/, tooMuch],
];

/** The error of a template that cannot be rendered, at `token` where no place is known. */
export function renderFault(error: unknown, token?: Token): PosthornError {
  if (isPosthornError(error)) return error;
  const message = error instanceof Error ? error.message : '';
  const [, reason = 'cannot be rendered'] = renderReasons.find(([pattern]) => pattern.test(message)) ?? [];
  const [line = 1, column = 1] = (LiquidError.is(error) ? tokenOf(error) : token)?.getPosition() ?? [];
  return faultAt(line, column, reason);
}

const tokenOf = (error: unknown): Token => (error as { readonly token: Token }).token;
