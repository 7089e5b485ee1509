import { PosthornError } from '@posthorn/core';
import { describeType } from '@posthorn/core/channel';
import { cutText, WrittenNumber } from '@posthorn/template';
import { limits, listLimits, maxTextObject, needed, stringLimits, textLimits } from './limits.js';
import { cutMarkup } from './markup.js';

export type Fields = Readonly<Record<string, unknown>>;

/** Replaces an empty text, which Slack refuses. */
const nothing = '-';

export const isAddress = (field: unknown): boolean =>
  typeof field === 'string' && (field === 'url' || field.endsWith('_url'));

/** Types whose text Slack shows literally: elements of rich text and of tables. */
export const literal: ReadonlySet<unknown> = new Set(['text', 'link', 'raw_text']);

/** The role of a value without a type, by its field. */
const roles: Readonly<Record<string, string>> = {
  options: 'option',
  initial_options: 'option',
  initial_option: 'option',
  option_groups: 'option_group',
  confirm: 'confirm',
};

const isTextObject = (value: unknown): value is Fields =>
  isObject(value) && (value.type === 'plain_text' || value.type === 'mrkdwn');

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof WrittenNumber);

const has = (value: unknown): boolean => value !== undefined && value !== null;

const limitOf = (table: Readonly<Record<string, number>>, role: string, field: string): number | undefined =>
  table[`${role}.${field}`] ?? table[field];

/** Fields that must be text objects, or lists of them. Other values are refused. */
const texts: ReadonlySet<string> = new Set(['header.text', 'section.text', 'section.fields', 'image.title']);
const lists: ReadonlySet<string> = new Set(['section.fields', 'context.elements']);

/**
 * Copies a block, or a value in one, cut to Slack's limits. Returns undefined if too much of it is empty for Slack to
 * accept the rest. Throws `invalid_template` for a value that Slack cannot parse.
 */
export function fitted(given: Fields, at: string, role: string): Fields | undefined {
  const required = role === 'header' && !has(given.text) ? { ...given, text: undefined } : given;
  const fields = Object.entries(required).flatMap(([field, value]) => {
    const fit = fittedField(value, `${at}.${field}`, role, field);
    return fit === undefined ? [] : [[field, fit] as const];
  });
  const fit: Fields = Object.fromEntries(fields);
  // A link without a URL becomes its text.
  if (role === 'link' && !has(fit.url)) return has(fit.text) ? { ...fit, type: 'text' } : undefined;
  const isWhole = needed[role]?.some((field) => has(fit[field])) ?? true;
  return isWhole ? fit : undefined;
}

function fittedField(value: unknown, at: string, role: string, field: string): unknown {
  const key = `${role}.${field}`;
  if (isAddress(field)) return value === '' || String(value).length > limits.url ? undefined : value;
  if (lists.has(key) && has(value) && !Array.isArray(value)) {
    throw refused(at, `must be an array, not ${describeType(value)}`);
  }
  if (Array.isArray(value)) return fittedList(value, at, role, field);
  if ((texts.has(key) && has(value)) || key === 'header.text' || isTextObject(value)) {
    return fittedText(value, at, limitOf(textLimits, role, field) ?? maxTextObject);
  }
  if (isObject(value)) return fitted(value, at, typeOf(value) ?? roles[field] ?? '');
  if (typeof value !== 'string') return value;
  return fittedString(value, role, field);
}

function fittedString(value: string, role: string, field: string): string | undefined {
  if (field === 'text' && literal.has(role)) {
    if (value !== '') return value;
    return role === 'raw_text' ? nothing : undefined;
  }
  const max = limitOf(stringLimits, role, field);
  if (max === undefined) return value;
  if (field === 'alt_text' || (field === 'text' && role === 'markdown')) {
    return cutText(value.trim() === '' ? nothing : value, max);
  }
  return value === '' ? undefined : cutText(value, max);
}

function fittedList(
  list: readonly unknown[],
  at: string,
  role: string,
  field: string,
): readonly unknown[] | undefined {
  const key = `${role}.${field}`;
  const kept = list.slice(0, limitOf(listLimits, role, field));
  const isOfTexts = lists.has(key);
  const fitItems = (max: number): readonly unknown[] =>
    kept.flatMap((item, i): unknown => {
      const place = `${at}.${i}`;
      // A table row.
      if (Array.isArray(item)) return [fittedList(item, place, role, 'row') ?? []];
      if (!isObject(item) && !isOfTexts) return [item];
      const object = objectAt(item, place);
      const type = typeOf(object) ?? roles[field] ?? '';
      if (isTextObject(object) || (isOfTexts && type !== 'image')) return fittedText(object, place, max);
      return fitted(object, place, type) ?? [];
    });
  const whole = fitItems(limitOf(textLimits, role, field) ?? maxTextObject);
  // Long texts are cut so that each gets an equal share.
  const isTooLong = isOfTexts && lengthOf(whole) > limits.ofBlock;
  const items = isTooLong ? fitItems(Math.floor(limits.ofBlock / kept.length)) : whole;
  if (role === 'rich_text_section' && items.length === 0) return [{ type: 'text', text: nothing }];
  return items.length === 0 ? undefined : items;
}

/** Counts the characters of all texts in a value. */
export function lengthOf(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((length: number, item) => length + lengthOf(item), 0);
  if (!isObject(value)) return 0;
  const { text, ...others } = value;
  return (typeof text === 'string' ? text.length : lengthOf(text)) + lengthOf(Object.values(others));
}

const typeOf = ({ type }: Fields): string | undefined => (typeof type === 'string' ? type : undefined);

/** Cuts a text object to `maxLength`. Throws `invalid_template` for another value. */
function fittedText(given: unknown, at: string, maxLength: number): Fields {
  const object = objectAt(given, at);
  const { type, text } = object;
  if (type !== 'plain_text' && type !== 'mrkdwn')
    throw refused(at, 'must have the type plain_text or mrkdwn');
  const isText = /^(?:string|number|boolean)$/.test(typeof text) || text instanceof WrittenNumber;
  if (!isText) throw refused(`${at}.text`, `must be a text, not ${describeType(text)}`);
  return { ...object, text: cutMarkup(String(text).trim() === '' ? nothing : String(text), maxLength) };
}

/** Returns a value that must be an object. Throws `invalid_template` with its path otherwise. */
export function objectAt(value: unknown, at: string): Fields {
  if (isObject(value)) return value;
  throw refused(at, `must be an object, not ${describeType(value)}`);
}

export function refused(at: string, message: string): PosthornError {
  const where = at === '' ? 'the rendered text' : `block ${at}`;
  return new PosthornError('invalid_template', `blocks_template cannot be sent: ${where} ${message}`);
}
