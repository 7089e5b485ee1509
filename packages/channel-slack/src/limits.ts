/*
 * Slack's limits, in characters and items. Sources: Slack, "Block Kit reference" (blocks, elements, composition
 * objects), and "Truncating really long messages".
 */

export const limits = {
  /** The top-level text. Slack recommends 4,000 and accepts 40,000. */
  text: 4_000,
  blocks: 50,
  sectionText: 3_000,
  field: 2_000,
  fields: 10,
  /** A URL. Longer ones are dropped, because a cut URL is useless. */
  url: 3_000,
  /** All blocks together. Slack accepts about 13,200, which is undocumented (slackapi/bolt-js, issue 2509). */
  inAll: 13_000,
  /** All texts of one block with several texts. */
  ofBlock: 9_000,
  /** All cells of a table, and all Markdown blocks. */
  table: 10_000,
  markdown: 12_000,
} as const;

/** The limit of text objects without an entry below. */
export const maxTextObject = 3_000;

/** Limits of text objects, by the type or role of the containing object and the field. */
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

/** Limits of plain strings, likewise. An entry without a type applies to every object. */
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

/** Limits of lists, likewise. */
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

/** The fields of which each type needs at least one. Without it, Slack refuses the whole message. */
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
