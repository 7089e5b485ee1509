/*
 * The limits of a message. Source: Discord, "Webhook Resource" (execute webhook, usernames) and "Message Resource"
 * (embed limits).
 */

type Fields = Readonly<Record<string, unknown>>;

/** Returns the texts of an embed that have a limit, with their paths and limits. */
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
/** The limit for all embeds together. */
const maxLengthInAll = 6_000;

/** An embed must have one of these. Its colour, time and URL alone display nothing. */
const shown = ['title', 'description', 'fields', 'footer', 'author', 'image', 'thumbnail'] as const;

const isEmpty = (value: unknown): boolean =>
  (value ?? '') === '' || (Array.isArray(value) && value.length === 0);

/** Whether a message displays nothing. Spaces alone do not count. */
export function isEmptyMessage({ content, embeds }: Fields): boolean {
  const isBlank = isEmpty(content) || (typeof content === 'string' && content.trim() === '');
  const isBare = (embed: unknown): boolean => Object.values(Object(embed)).every(isEmpty);
  return isBlank && (isEmpty(embeds) || (Array.isArray(embeds) && embeds.every(isBare)));
}

const isOfWeb = (address: unknown): boolean =>
  typeof address === 'string' && /^https?:\/\/./i.test(address) && address.length <= 2_048;

/** Returns the URLs of an embed, with their paths. */
function addressesOf(embed: Fields, at: string): readonly (readonly [at: string, address: unknown])[] {
  const inside = (field: string, name: string): unknown => Object(embed[field])[name];
  return [
    [`${at}.url`, embed.url],
    [`${at}.author.url`, inside('author', 'url')],
    [`${at}.author.icon_url`, inside('author', 'icon_url')],
    [`${at}.footer.icon_url`, inside('footer', 'icon_url')],
    [`${at}.image.url`, inside('image', 'url')],
    [`${at}.thumbnail.url`, inside('thumbnail', 'url')],
  ];
}

/** Returns what Discord refuses of one embed, except for its texts. */
function embedFaults(embed: Fields, at: string): readonly string[] {
  const { fields, color, timestamp } = embed;
  const isColor = Number.isInteger(color) && Number(color) >= 0 && Number(color) <= 0xffffff;
  return [
    ...(shown.every((field) => isEmpty(embed[field])) ? [`${at}.description: is required`] : []),
    ...(fields === undefined || Array.isArray(fields) ? [] : [`${at}.fields: must be a list`]),
    ...(fieldsOf(fields).length > maxFields ? [`${at}.fields: ${maxFields} or fewer`] : []),
    ...(color === undefined || isColor ? [] : [`${at}.color: between 0 and 16777215`]),
    ...(timestamp === undefined || !Number.isNaN(Date.parse(String(timestamp)))
      ? []
      : [`${at}.timestamp: must be ISO 8601`]),
    ...addressesOf(embed, at).flatMap(([place, address]) =>
      address === undefined || isOfWeb(address) ? [] : [`${place}: must be an http or https URL`],
    ),
  ];
}

/** Returns what Discord refuses of a message, with paths. */
export function formFaults({ content, username, avatar_url, embeds }: Fields): readonly string[] {
  const list = fieldsOf(embeds);
  const texts = list.flatMap((embed, i) => textsOf(embed, `embeds.${i}`));
  const given = texts.filter(([, text]) => text !== undefined);
  const inAll = given.reduce((length, [, text]) => length + String(text).length, 0);
  return [
    ...(typeof content === 'string' && content.length > 2_000 ? ['content: 2000 or fewer in length'] : []),
    ...(content === undefined || typeof content === 'string' ? [] : ['content: must be a string']),
    ...(embeds === undefined || Array.isArray(embeds) ? [] : ['embeds: must be a list']),
    ...(avatar_url === undefined || isOfWeb(avatar_url) ? [] : ['avatar_url: must be a URL']),
    ...(username === undefined || isUsername(username) ? [] : ['username: is not allowed']),
    ...(list.length > maxEmbeds ? [`embeds: ${maxEmbeds} or fewer`] : []),
    ...list.flatMap((embed, i) => embedFaults(embed, `embeds.${i}`)),
    ...given.flatMap(([at, text, max]) =>
      typeof text === 'string' && text.trim() !== '' && text.length <= max
        ? []
        : [`${at}: between 1 and ${max} in length`],
    ),
    ...(inAll > maxLengthInAll ? [`embeds: ${maxLengthInAll} or fewer in all`] : []),
  ];
}

const isUsername = (name: unknown): boolean =>
  typeof name === 'string' && name.length >= 1 && name.length <= 80 && !/clyde|discord/i.test(name);
