/*
 * The limits of the elements of blocks. Source: Slack, "Block Kit reference": block elements and composition objects.
 */

export type Fields = Readonly<Record<string, unknown>>;

/** Returns the faults of a block or an element, each with its path. */
export type Check = (given: Fields, at: string) => readonly string[];

export const maxTextLength = 3_000;

export const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const bothTypes = ['plain_text', 'mrkdwn'];
const plain = ['plain_text'];

export function textFaults(text: unknown, at: string, max: number, types = bothTypes): string[] {
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

export function listFaults(list: unknown, at: string, max: number, check: Check): string[] {
  if (!Array.isArray(list) || list.length === 0) return [`${at}: must hold at least one item`];
  const faults = list.flatMap((item, i) => check(Object(item) as Fields, `${at}/${i}`));
  return list.length > max ? [`${at}: must hold at most ${max} items`, ...faults] : faults;
}

/** Checks a string, where there is one. */
export function stringFaults(value: unknown, at: string, max: number, min = 1): string[] {
  if (value === undefined) return [];
  const isWithin = typeof value === 'string' && value.length >= min && value.length <= max;
  return isWithin ? [] : [`${at}: must have ${min} to ${max} characters`];
}

const optionalText = (text: unknown, at: string, max: number, types = bothTypes): string[] =>
  text === undefined ? [] : textFaults(text, at, max, types);

export const imageFaults: Check = ({ alt_text, image_url, slack_file }, at) => [
  ...stringFaults(alt_text ?? '', `${at}/alt_text`, 2_000),
  ...(slack_file === undefined ? stringFaults(image_url ?? '', `${at}/image_url`, 3_000) : []),
];

const confirmFaults: Check = ({ title, text, confirm, deny }, at) => [
  ...textFaults(title, `${at}/title`, 100, plain),
  ...textFaults(text, `${at}/text`, 300),
  ...textFaults(confirm, `${at}/confirm`, 30, plain),
  ...textFaults(deny, `${at}/deny`, 30, plain),
];

const optionFaults: Check = ({ text, value, description, url }, at) => [
  ...textFaults(text, `${at}/text`, 75),
  ...stringFaults(value ?? '', `${at}/value`, 150),
  ...optionalText(description, `${at}/description`, 75),
  ...stringFaults(url, `${at}/url`, 3_000),
];

const groupFaults: Check = ({ label, options }, at) => [
  ...textFaults(label, `${at}/label`, 75, plain),
  ...listFaults(options, `${at}/options`, 100, optionFaults),
];

const options =
  (max: number): Check =>
  (element, at) =>
    listFaults(element.options, `${at}/options`, max, optionFaults);

const select: Check = ({ options, option_groups }, at) =>
  option_groups === undefined
    ? listFaults(options, `${at}/options`, 100, optionFaults)
    : listFaults(option_groups, `${at}/option_groups`, 100, groupFaults);

const button: Check = ({ text, value, url }, at) => [
  ...textFaults(text, `${at}/text`, 75, plain),
  ...stringFaults(value, `${at}/value`, 2_000),
  ...stringFaults(url, `${at}/url`, 3_000),
];

const checks: Readonly<Record<string, Check>> = {
  button,
  workflow_button: button,
  image: imageFaults,
  checkboxes: options(10),
  radio_buttons: options(10),
  overflow: options(5),
  static_select: select,
  multi_static_select: select,
};

/** Checks an interactive element or an image. Of an unknown type, checks only what all have in common. */
export const elementFaults: Check = (element, at) => {
  const { type, action_id, placeholder, confirm, accessibility_label } = element;
  if (typeof type !== 'string') return [`${at}: must have a type`];
  return [
    ...(Object.hasOwn(checks, type) ? checks[type]!(element, at) : []),
    ...stringFaults(action_id, `${at}/action_id`, 255),
    ...optionalText(placeholder, `${at}/placeholder`, 150, plain),
    ...stringFaults(accessibility_label, `${at}/accessibility_label`, 75),
    ...(confirm === undefined ? [] : confirmFaults(Object(confirm) as Fields, `${at}/confirm`)),
  ];
};

/** Checks rich text: a text must not be empty, a link must have a URL, and a section must have elements. */
export const richTextFaults: Check = (element, at) => {
  const { type, text, url, elements } = element;
  if (type === 'text') return stringFaults(text ?? '', `${at}/text`, Number.POSITIVE_INFINITY);
  if (type === 'link') return stringFaults(url ?? '', `${at}/url`, 3_000);
  if (elements === undefined) return [];
  return listFaults(elements, `${at}/elements`, Number.POSITIVE_INFINITY, richTextFaults);
};

/** Checks the cells of a table, which must not be empty. */
export const cellFaults: Check = (cell, at) =>
  cell.type === 'raw_text'
    ? stringFaults(cell.text ?? '', `${at}/text`, Number.POSITIVE_INFINITY)
    : richTextFaults(cell, at);
