/*
 * The limits of Block Kit. Source: Slack, "Block Kit reference": blocks and text objects.
 */

const maxBlocks = 50;
const maxTextLength = 3_000;
/** Not documented; seen by whoever posted more in all (slackapi/bolt-js, issue 2509). */
const maxLengthInAll = 13_200;

type Fields = Readonly<Record<string, unknown>>;

/** What is wrong with a block, each fault with the way to it. */
type Check = (block: Fields, at: string) => readonly string[];

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function textFaults(text: unknown, at: string, max: number, types = ['plain_text', 'mrkdwn']): string[] {
  if (!isObject(text)) return [`${at}: must be a text object`];
  const { type, text: content, emoji, verbatim } = text;
  const faults: string[] = [];
  if (!types.includes(type as string)) faults.push(`${at}: type must be ${types.join(' or ')}`);
  if (typeof content !== 'string' || content.length === 0)
    faults.push(`${at}: must be more than 0 characters`);
  else if (content.length > max) faults.push(`${at}: must be less than ${max + 1} characters`);
  if (emoji !== undefined && type !== 'plain_text') faults.push(`${at}: emoji is for plain_text`);
  if (verbatim !== undefined && type !== 'mrkdwn') faults.push(`${at}: verbatim is for mrkdwn`);
  return faults;
}

function listFaults(list: unknown, at: string, max: number, check: Check): string[] {
  if (!Array.isArray(list) || list.length === 0) return [`${at}: must hold at least one item`];
  const faults = list.flatMap((item, i) => check(Object(item) as Fields, `${at}/${i}`));
  return list.length > max ? [`${at}: must hold at most ${max} items`, ...faults] : faults;
}

const imageFaults: Check = ({ alt_text, image_url, slack_file }, at) => [
  ...(typeof alt_text === 'string' && alt_text.length >= 1 && alt_text.length <= 2_000
    ? []
    : [`${at}/alt_text: must have 1 to 2000 characters`]),
  ...(slack_file !== undefined || (typeof image_url === 'string' && image_url.length <= 3_000)
    ? []
    : [`${at}/image_url: must have at most 3000 characters`]),
];

const elementFaults: Check = (element, at) =>
  element.type === 'image' ? imageFaults(element, at) : textFaults(element, at, maxTextLength);

const checks: Readonly<Record<string, Check>> = {
  header: ({ text }, at) => textFaults(text, `${at}/text`, 150, ['plain_text']),
  section: ({ text, fields }, at) => [
    ...(text === undefined && fields === undefined ? [`${at}: must define either text or fields`] : []),
    ...(text === undefined ? [] : textFaults(text, `${at}/text`, maxTextLength)),
    ...(fields === undefined
      ? []
      : listFaults(fields, `${at}/fields`, 10, (field, at) => textFaults(field, at, 2_000))),
  ],
  context: ({ elements }, at) => listFaults(elements, `${at}/elements`, 10, elementFaults),
  actions: ({ elements }, at) => listFaults(elements, `${at}/elements`, 25, () => []),
  image: (block, at) => [
    ...imageFaults(block, at),
    ...(block.title === undefined ? [] : textFaults(block.title, `${at}/title`, 2_000, ['plain_text'])),
  ],
  markdown: ({ text }, at) =>
    typeof text === 'string' && text.length <= 12_000
      ? []
      : [`${at}/text: must have at most 12000 characters`],
  divider: () => [],
  rich_text: ({ elements }, at) => listFaults(elements, `${at}/elements`, Number.POSITIVE_INFINITY, () => []),
  // Of these it only knows that there are such.
  context_actions: () => [],
  file: () => [],
  table: () => [],
  video: () => [],
};

function blockFaults(block: unknown, at: string): readonly string[] {
  if (!isObject(block)) return [`${at}: must be an object`];
  const { type, block_id } = block;
  const check =
    typeof type === 'string' && Object.hasOwn(checks, type)
      ? checks[type]!
      : () => [`${at}: unsupported type`];
  const isNamed =
    block_id === undefined ||
    (typeof block_id === 'string' && block_id.length >= 1 && block_id.length <= 255);
  return [...(isNamed ? [] : [`${at}/block_id: must have 1 to 255 characters`]), ...check(block, at)];
}

/** Each fault of `blocks`, with the way to it; none where Slack would take them. */
export function blocksFaults(blocks: unknown): readonly string[] {
  if (!Array.isArray(blocks)) return ['blocks: must be an array'];
  const ids = blocks.flatMap((block) => (isObject(block) ? (block.block_id ?? []) : []));
  return [
    ...(blocks.length > maxBlocks ? [`blocks: must hold at most ${maxBlocks} items`] : []),
    ...(new Set(ids).size < ids.length ? ['blocks: block_id must be unique'] : []),
    ...blocks.flatMap((block, i) => blockFaults(block, `blocks/${i}`)),
  ];
}

/** Whether the texts of `blocks` are more than Slack takes in all. */
export function areTooLong(blocks: unknown): boolean {
  return textsOf(blocks).reduce((length, { text }) => length + text.length, 0) > maxLengthInAll;
}

/** Every text object, wherever it stands. */
export function textsOf(value: unknown): readonly { readonly type: unknown; readonly text: string }[] {
  if (Array.isArray(value)) return value.flatMap(textsOf);
  if (!isObject(value)) return [];
  const { type, text } = value;
  return typeof text === 'string' ? [{ type, text }] : Object.values(value).flatMap(textsOf);
}
