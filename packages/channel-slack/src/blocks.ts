import { PosthornError } from '@posthorn/core';
import { describeType, type Message } from '@posthorn/core/channel';
import { anyValue, contextOf, type PlaceOf, parseJsonText } from '@posthorn/template';
import { fitted, isAddress, lengthOf, literal, objectAt, refused } from './fit.js';
import { limits } from './limits.js';

export interface TextObject {
  readonly type: 'plain_text' | 'mrkdwn';
  readonly text: string;
  readonly emoji?: boolean;
  readonly verbatim?: boolean;
}

/** A Block Kit block. */
export interface Block {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** The place of each string in a block. Source: Slack, "Block Kit reference". */
const placeOf: PlaceOf = (path, type) => {
  const field = path.at(-1);
  if (isAddress(field)) return 'address';
  if (field === 'text' && type === 'markdown') return 'markdown';
  // The value of a button is sent back to the application.
  if (field === 'value' || (field === 'text' && literal.has(type))) return 'plain';
  return field === 'text' && type === 'mrkdwn' ? 'mrkdwn' : 'entities';
};

/**
 * Checks a template when it is saved: as far as its shape is known, it must be an array of blocks. Throws
 * `invalid_template` with the path of an invalid block.
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
  const { type } = Object(block) as { readonly type?: unknown };
  return type === anyValue || (typeof type === 'string' && type !== '');
};

/**
 * Renders the blocks of a template, cut to Slack's limits. A line at the end says how many are left out. Throws
 * `invalid_template` if the template cannot be rendered or does not render to blocks.
 */
export function renderedBlocks(source: string, message: Message): readonly Block[] {
  const rendered = parseJsonText(source, 'mrkdwn', placeOf).render(contextOf(message));
  if (!Array.isArray(rendered))
    throw refused('', `must be an array of blocks, not ${describeType(rendered)}`);
  const blocks = withOwnNames(rendered.flatMap((block, i) => fittedBlock(block, String(i)) ?? []));
  const kept = within(blocks);
  if (kept.length === blocks.length) return blocks;
  const more = blocks.length - kept.length;
  const text = `… and ${more} more ${more === 1 ? 'block' : 'blocks'}`;
  return [...kept, { type: 'context', elements: [{ type: 'plain_text', text }] }];
}

function fittedBlock(given: unknown, at: string): Block | undefined {
  const block = objectAt(given, at);
  const { type } = block;
  if (typeof type !== 'string' || type === '') throw refused(at, 'must have a type');
  return fitted(block, at, type) as Block | undefined;
}

/** Returns as many of the first blocks as Slack accepts, with room for the line about the blocks that are left out. */
function within(blocks: readonly Block[]): readonly Block[] {
  const room = { all: limits.inAll, table: limits.table, markdown: limits.markdown };
  let tables = 0;
  const tooMuch = blocks.findIndex((block) => {
    const length = lengthOf(block);
    room.all -= length;
    if (block.type === 'markdown') room.markdown -= length;
    if (block.type === 'table') {
      room.table -= length;
      tables++;
    }
    return Math.min(room.all, room.table, room.markdown) < 0 || tables > 1;
  });
  const fitting = tooMuch < 0 ? blocks : blocks.slice(0, tooMuch);
  return fitting.length <= limits.blocks && fitting.length === blocks.length
    ? blocks
    : fitting.slice(0, limits.blocks - 1);
}

/** Removes repeated ids of blocks, and of the elements of a block. Slack assigns an id to those without one. */
function withOwnNames(blocks: readonly Block[]): readonly Block[] {
  const unnamed = <Item>(items: readonly Item[], name: string): readonly Item[] => {
    const seen = new Set<unknown>();
    return items.map((item) => {
      const given = Object(item)[name];
      if (given === undefined || !seen.has(given)) {
        seen.add(given);
        return item;
      }
      const { [name]: _, ...others } = item as Readonly<Record<string, unknown>>;
      return others as Item;
    });
  };
  return unnamed(blocks, 'block_id').map((block) =>
    Array.isArray(block.elements) ? { ...block, elements: unnamed(block.elements, 'action_id') } : block,
  );
}
