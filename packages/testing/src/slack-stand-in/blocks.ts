/*
 * The limits of Block Kit. Source: Slack, "Block Kit reference": blocks and text objects.
 */

import {
  type Check,
  cellFaults,
  elementFaults,
  type Fields,
  imageFaults,
  isObject,
  listFaults,
  maxTextLength,
  richTextFaults,
  stringFaults,
  textFaults,
} from './elements.js';

const maxBlocks = 50;
/** The limit for all cells of all tables. */
const maxTable = 10_000;
/** The limit for all Markdown blocks. */
const maxMarkdown = 12_000;
/** Not documented; observed with larger messages (slackapi/bolt-js, issue 2509). */
const maxLengthInAll = 13_200;

const contextFaults: Check = (element, at) =>
  element.type === 'image' ? imageFaults(element, at) : textFaults(element, at, maxTextLength);

/** Checks a table: at most 100 rows of 20 cells. */
function tableFaults({ rows }: Fields, at: string): readonly string[] {
  const rowFaults: Check = (row, place) => listFaults(row, place, 20, cellFaults);
  return listFaults(rows, `${at}/rows`, 100, rowFaults);
}

const checks: Readonly<Record<string, Check>> = {
  header: ({ text }, at) => textFaults(text, `${at}/text`, 150, ['plain_text']),
  section: ({ text, fields, accessory }, at) => [
    ...(text === undefined && fields === undefined ? [`${at}: must define either text or fields`] : []),
    ...(text === undefined ? [] : textFaults(text, `${at}/text`, maxTextLength)),
    ...(fields === undefined
      ? []
      : listFaults(fields, `${at}/fields`, 10, (field, at) => textFaults(field, at, 2_000))),
    ...(accessory === undefined ? [] : elementFaults(Object(accessory) as Fields, `${at}/accessory`)),
  ],
  context: ({ elements }, at) => listFaults(elements, `${at}/elements`, 10, contextFaults),
  actions: ({ elements }, at) => [
    ...listFaults(elements, `${at}/elements`, 25, elementFaults),
    ...repeated(elements, 'action_id', `${at}/elements`),
  ],
  context_actions: ({ elements }, at) => listFaults(elements, `${at}/elements`, 5, () => []),
  image: (block, at) => [
    ...imageFaults(block, at),
    ...(block.title === undefined ? [] : textFaults(block.title, `${at}/title`, 2_000, ['plain_text'])),
  ],
  markdown: ({ text }, at) => stringFaults(text ?? '', `${at}/text`, maxMarkdown),
  divider: () => [],
  rich_text: ({ elements }, at) =>
    listFaults(elements, `${at}/elements`, Number.POSITIVE_INFINITY, richTextFaults),
  table: tableFaults,
  video: ({ title, description, author_name }, at) => [
    ...textFaults(title, `${at}/title`, 199, ['plain_text']),
    ...(description === undefined ? [] : textFaults(description, `${at}/description`, 199, ['plain_text'])),
    ...stringFaults(author_name, `${at}/author_name`, 49),
  ],
  // Only the type is checked.
  file: () => [],
};

function blockFaults(block: unknown, at: string): readonly string[] {
  if (!isObject(block)) return [`${at}: must be an object`];
  const { type, block_id } = block;
  const check =
    typeof type === 'string' && Object.hasOwn(checks, type)
      ? checks[type]!
      : () => [`${at}: unsupported type`];
  return [...stringFaults(block_id, `${at}/block_id`, 255), ...check(block, at)];
}

/** Returns a fault where two of `items` have the same name. */
function repeated(items: unknown, name: string, at: string): readonly string[] {
  const names = (Array.isArray(items) ? items : []).flatMap((item) => Object(item)[name] ?? []);
  return new Set(names).size < names.length ? [`${at}: ${name} must be unique`] : [];
}

/** Returns each fault of `blocks`, with its path; none where Slack accepts them. */
export function blocksFaults(blocks: unknown): readonly string[] {
  if (!Array.isArray(blocks)) return ['blocks: must be an array'];
  const ofType = (wanted: string) => blocks.filter((block) => isObject(block) && block.type === wanted);
  return [
    ...(blocks.length > maxBlocks ? [`blocks: must hold at most ${maxBlocks} items`] : []),
    ...repeated(blocks, 'block_id', 'blocks'),
    ...(ofType('table').length > 1 ? ['blocks: only_one_table_allowed'] : []),
    ...(lengthOf(ofType('table')) > maxTable
      ? [`blocks: tables must have at most ${maxTable} characters`]
      : []),
    ...(lengthOf(ofType('markdown')) > maxMarkdown
      ? [`blocks: Markdown must have at most ${maxMarkdown} characters`]
      : []),
    ...blocks.flatMap((block, i) => blockFaults(block, `blocks/${i}`)),
  ];
}

/** Whether the texts of `blocks` exceed Slack's limit for all together. */
export function areTooLong(blocks: unknown): boolean {
  return lengthOf(blocks) > maxLengthInAll;
}

const lengthOf = (value: unknown): number =>
  textsOf(value).reduce((length, { text }) => length + text.length, 0);

/** Returns every text object, at any depth. */
export function textsOf(value: unknown): readonly { readonly type: unknown; readonly text: string }[] {
  if (Array.isArray(value)) return value.flatMap(textsOf);
  if (!isObject(value)) return [];
  const { type, text } = value;
  return typeof text === 'string' ? [{ type, text }] : Object.values(value).flatMap(textsOf);
}
