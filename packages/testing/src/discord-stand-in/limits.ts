/*
 * The limits of a message. Source: Discord, "Webhook Resource" (execute webhook, usernames) and "Message Resource" (embed
 * limits).
 */

type Fields = Readonly<Record<string, unknown>>;

/** The texts of an embed that have a limit, with where they stand and how long they may be. */
function textsOf(embed: Fields, at: string): readonly (readonly [at: string, text: unknown, max: number])[] {
  const { title, description, fields, footer, author } = embed;
  return [
    [`${at}.title`, title, 256],
    [`${at}.description`, description, 4_096],
    [`${at}.footer.text`, (footer as Fields | undefined)?.text, 2_048],
    [`${at}.author.name`, (author as Fields | undefined)?.name, 256],
    ...fieldsOf(fields).flatMap(({ name, value }, i) => [
      [`${at}.fields.${i}.name`, name ?? '', 256] as const,
      [`${at}.fields.${i}.value`, value ?? '', 1_024] as const,
    ]),
  ];
}

const fieldsOf = (fields: unknown): readonly Fields[] => (Array.isArray(fields) ? fields : []);

const maxEmbeds = 10;
const maxFields = 25;
/** Of all embeds together. */
const maxLengthInAll = 6_000;

/** What Discord would not take of a message, each fault with the way to it. */
export function formFaults({ content, username, embeds }: Fields): readonly string[] {
  const list = fieldsOf(embeds);
  const texts = list.flatMap((embed, i) => textsOf(embed, `embeds.${i}`));
  const given = texts.filter(([, text]) => text !== undefined);
  const inAll = given.reduce((length, [, text]) => length + String(text).length, 0);
  return [
    ...(typeof content === 'string' && content.length > 2_000 ? ['content: 2000 or fewer in length'] : []),
    ...(username === undefined || isUsername(username) ? [] : ['username: is not allowed']),
    ...(list.length > maxEmbeds ? [`embeds: ${maxEmbeds} or fewer`] : []),
    ...list.flatMap(({ fields }, i) =>
      fieldsOf(fields).length > maxFields ? [`embeds.${i}.fields: ${maxFields} or fewer`] : [],
    ),
    ...given.flatMap(([at, text, max]) =>
      typeof text === 'string' && text.trim() !== '' && text.length <= max
        ? []
        : [`${at}: between 1 and ${max} in length`],
    ),
    ...(inAll > maxLengthInAll ? [`embeds: ${maxLengthInAll} or fewer in all`] : []),
    ...list.flatMap(({ timestamp }, i) =>
      timestamp === undefined || !Number.isNaN(Date.parse(String(timestamp)))
        ? []
        : [`embeds.${i}.timestamp: must be ISO 8601`],
    ),
  ];
}

const isUsername = (name: unknown): boolean =>
  typeof name === 'string' && name.length >= 1 && name.length <= 80 && !/clyde|discord/i.test(name);
