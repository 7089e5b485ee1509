import { kindOf, type Message, PosthornError } from '@posthorn/core';
import { anyValue, contextOf, cutText, type PlaceOf, parseJsonText, WrittenNumber } from '@posthorn/template';
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

const isAddress = (field: unknown): boolean =>
  typeof field === 'string' && (field === 'url' || field.endsWith('_url'));

/** Of rich text and of tables: their texts are shown as they are. */
const literal: ReadonlySet<unknown> = new Set(['text', 'link', 'raw_text']);

/** Where the texts of a block land. Source: Slack, "Block Kit reference". */
const placeOf: PlaceOf = (path, type) => {
  const field = path.at(-1);
  if (isAddress(field)) return 'address';
  if (field === 'text' && type === 'markdown') return 'markdown';
  // What a button is worth goes back to the application.
  return field === 'value' || (field === 'text' && literal.has(type)) ? 'plain' : 'mrkdwn';
};

/**
 * Judges a template when it is saved: what it renders to is an array of blocks, as far as it says. Throws
 * `invalid_template`, with the place of a block that is none.
 */
export function checkBlocksTemplate(source: string): void {
  const { shape } = parseJsonText(source, 'mrkdwn', placeOf);
  const isObject = shape === anyValue && /^\s*\{(?![{%])/.test(source);
  if (isObject || (shape !== anyValue && !Array.isArray(shape))) {
    throw new PosthornError(
      'invalid_template',
      'must be a JSON array: the blocks alone, without an object around them',
    );
  }
  const message = 'must be a block: an object with a type';
  const issues = (Array.isArray(shape) ? shape : []).flatMap((block: unknown, i) =>
    block === anyValue || hasType(block) ? [] : [{ path: [i], message }],
  );
  if (issues.length > 0)
    throw new PosthornError('invalid_template', `blocks_template ${message}`, { issues });
}

const hasType = (block: unknown): boolean => {
  const { type } = Object(block) as Fields;
  return type === anyValue || (typeof type === 'string' && type !== '');
};

/**
 * The blocks of a template, cut to Slack's limits. Throws `invalid_template` where it cannot be rendered, or what it
 * renders to are no blocks.
 */
export function renderedBlocks(source: string, message: Message): readonly Block[] {
  const rendered = parseJsonText(source, 'mrkdwn', placeOf).render(contextOf(message));
  if (!Array.isArray(rendered)) throw refused('', `must be an array of blocks, not ${kindOf(rendered)}`);
  const blocks = rendered.map((block, i) => fitBlock(block, String(i)));
  if (blocks.length <= limits.blocks) return blocks;
  const kept = blocks.slice(0, limits.blocks - 1);
  const text = `… and ${blocks.length - kept.length} more blocks`;
  return [...kept, { type: 'context', elements: [{ type: 'plain_text', text }] }];
}

function fitBlock(given: unknown, at: string): Block {
  const block = withoutEmptyAddresses(objectAt(given, at)) as Fields;
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
  if (type === 'markdown' && typeof text === 'string') {
    return { ...block, type, text: cutText(text.trim() === '' ? nothing : text, limits.markdown) };
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
  const isText = /^(?:string|number|boolean)$/.test(typeof text) || text instanceof WrittenNumber;
  if (!isText) throw refused(`${at}.text`, `must be a text, not ${kindOf(text)}`);
  return { ...object, text: cutMarkup(String(text).trim() === '' ? nothing : String(text), maxLength) };
}

/** A copy without the addresses that have nothing left of them: a button that leads nowhere does not keep the rest from people. */
function withoutEmptyAddresses(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmptyAddresses);
  if (typeof value !== 'object' || value === null || value instanceof WrittenNumber) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, item]) =>
      isAddress(name) && item === '' ? [] : [[name, withoutEmptyAddresses(item)]],
    ),
  );
}

function objectAt(value: unknown, at: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw refused(at, `must be an object, not ${kindOf(value)}`);
}

function refused(at: string, message: string): PosthornError {
  const where = at === '' ? 'what it renders to' : `block ${at}`;
  return new PosthornError('invalid_template', `blocks_template cannot be sent: ${where} ${message}`);
}
