import { kindOf, type Message, PosthornError } from '@posthorn/core';
import { contextOf, parseJsonText } from '@posthorn/template';
import { limits } from './limits.js';
import { cutMarkup } from './markup.js';

export interface TextObject {
  readonly type: 'plain_text' | 'mrkdwn';
  readonly text: string;
  readonly emoji?: boolean;
  readonly verbatim?: boolean;
}

/** A block of Block Kit. */
export interface Block {
  readonly type: string;
  readonly [field: string]: unknown;
}

type Fields = Readonly<Record<string, unknown>>;

/** Shown where a template leaves a text empty, which Slack refuses. */
const nothing = '-';

/**
 * The blocks of a template, cut to Slack's limits. Throws `invalid_template` where it cannot be rendered, or what it
 * renders to are no blocks.
 */
export function renderedBlocks(source: string, message: Message): readonly Block[] {
  const rendered = parseJsonText(source, 'mrkdwn').render(contextOf(message));
  if (!Array.isArray(rendered)) throw refused('', `must be an array of blocks, not ${kindOf(rendered)}`);
  const blocks = rendered.map((block, i) => fitBlock(block, String(i)));
  if (blocks.length <= limits.blocks) return blocks;
  const kept = blocks.slice(0, limits.blocks - 1);
  const text = `… and ${blocks.length - kept.length} more blocks`;
  return [...kept, { type: 'context', elements: [{ type: 'plain_text', text }] }];
}

function fitBlock(given: unknown, at: string): Block {
  const block = withAddresses(objectAt(given, at)) as Fields;
  const { type, text, fields, elements, alt_text, title } = block;
  if (typeof type !== 'string' || type === '') throw refused(at, 'must have a type');
  if (type === 'header') return { ...block, type, text: fitText(text, `${at}.text`, limits.header) };
  if (type === 'section') {
    return {
      ...block,
      type,
      ...(has(text) && { text: fitText(text, `${at}.text`, limits.sectionText) }),
      ...(has(fields) && { fields: fitTexts(fields, `${at}.fields`, limits.fields, limits.field) }),
    };
  }
  if (type === 'context') {
    const fitted = fitTexts(elements, `${at}.elements`, limits.contextElements, limits.contextText);
    return { ...block, type, elements: fitted };
  }
  if (type === 'image') {
    return {
      ...block,
      type,
      ...(typeof alt_text === 'string' && { alt_text: cutMarkup(alt_text || nothing, limits.imageText) }),
      ...(has(title) && { title: fitText(title, `${at}.title`, limits.imageText) }),
    };
  }
  // Slack judges what else there is.
  return { ...block, type };
}

const has = (value: unknown): boolean => value !== undefined && value !== null;

function fitTexts(list: unknown, at: string, maxItems: number, maxLength: number): readonly unknown[] {
  if (!Array.isArray(list)) throw refused(at, `must be an array, not ${kindOf(list)}`);
  return list.slice(0, maxItems).map((item, i) => {
    const element = objectAt(item, `${at}.${i}`);
    return element.type === 'image' ? element : fitText(element, `${at}.${i}`, maxLength);
  });
}

function fitText(given: unknown, at: string, maxLength: number): Fields {
  const object = objectAt(given, at);
  const { type, text } = object;
  if (type !== 'plain_text' && type !== 'mrkdwn')
    throw refused(at, 'must have the type plain_text or mrkdwn');
  const isText = typeof text === 'string' || typeof text === 'number' || typeof text === 'boolean';
  if (!isText) throw refused(`${at}.text`, `must be a text, not ${kindOf(text)}`);
  return { ...object, text: cutMarkup(String(text).trim() === '' ? nothing : String(text), maxLength) };
}

const isAddress = (key: string): boolean => key === 'url' || key.endsWith('_url');

/** A copy in which addresses, which are no mrkdwn, are not escaped. */
function withAddresses(value: unknown, key = ''): unknown {
  if (typeof value === 'string') return isAddress(key) ? value.replaceAll('&amp;', '&') : value;
  if (Array.isArray(value)) return value.map((item) => withAddresses(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withAddresses(item, name)]));
}

function objectAt(value: unknown, at: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw refused(at, `must be an object, not ${kindOf(value)}`);
}

function refused(at: string, message: string): PosthornError {
  const where = at === '' ? 'what it renders to' : `block ${at}`;
  return new PosthornError('invalid_template', `blocks_template cannot be sent: ${where} ${message}`);
}
