/** How much Slack takes, in characters and in items. Sources: Slack, "Block Kit reference", and "Truncating really long messages". */
export const limits = {
  /** Of the top-level text Slack recommends 4,000, and takes 40,000. */
  text: 4_000,
  blocks: 50,
  header: 150,
  sectionText: 3_000,
  field: 2_000,
  fields: 10,
  contextText: 3_000,
  contextElements: 10,
  imageText: 2_000,
  markdown: 12_000,
} as const;
