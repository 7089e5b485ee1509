/*
 * How much Slack takes, in characters and in items. Sources: Slack, "Block Kit reference" (blocks, elements, composition
 * objects), and "Truncating really long messages".
 */

export const limits = {
  /** Of the top-level text Slack recommends 4,000, and takes 40,000. */
  text: 4_000,
  blocks: 50,
  sectionText: 3_000,
  field: 2_000,
  fields: 10,
  /** Of an address, which is of no use when it is cut. */
  url: 3_000,
  /** Of all blocks; Slack takes about 13,200, though it does not say so (slackapi/bolt-js, issue 2509). */
  inAll: 13_000,
  /** Of the texts of one block that has many of them. */
  ofBlock: 9_000,
  /** Of all cells of a table, and of all blocks of Markdown. */
  table: 10_000,
  markdown: 12_000,
} as const;

/** Any text object that has no limit of its own below. */
export const maxTextObject = 3_000;

/** Text objects, by the type or the role of what they stand in, and their field. */
export const textLimits: Readonly<Record<string, number>> = {
  'header.text': 150,
  'section.fields': limits.field,
  'image.title': 2_000,
  'video.title': 199,
  'video.description': 199,
  'button.text': 75,
  'workflow_button.text': 75,
  'option.text': 75,
  'option.description': 75,
  'option_group.label': 75,
  'confirm.title': 100,
  'confirm.text': 300,
  'confirm.confirm': 30,
  'confirm.deny': 30,
  'input.label': 2_000,
  'input.hint': 2_000,
  placeholder: 150,
};

/** Plain strings, likewise; without a type they have the limit wherever they stand. */
export const stringLimits: Readonly<Record<string, number>> = {
  'button.value': 2_000,
  'option.value': 150,
  'markdown.text': limits.markdown,
  'video.author_name': 49,
  action_id: 255,
  block_id: 255,
  alt_text: 2_000,
  accessibility_label: 75,
};

/** Lists, likewise. */
export const listLimits: Readonly<Record<string, number>> = {
  'section.fields': limits.fields,
  'context.elements': 10,
  'actions.elements': 25,
  'context_actions.elements': 5,
  'checkboxes.options': 10,
  'radio_buttons.options': 10,
  'overflow.options': 5,
  options: 100,
  option_groups: 100,
  rows: 100,
  row: 20,
};

/** What each must have one of: without it Slack takes nothing of the message. */
export const needed: Readonly<Record<string, readonly string[]>> = {
  section: ['text', 'fields'],
  context: ['elements'],
  actions: ['elements'],
  context_actions: ['elements'],
  rich_text: ['elements'],
  rich_text_list: ['elements'],
  image: ['image_url', 'slack_file'],
  table: ['rows'],
  link: ['url'],
  text: ['text'],
  checkboxes: ['options'],
  radio_buttons: ['options'],
  overflow: ['options'],
  option_group: ['options'],
};
