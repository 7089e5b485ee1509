import type { DigestedEvent, Message } from '@posthorn/core/channel';
import { countOf, cutText, escapeFor, fitting, summaryOf, visibleLine } from '@posthorn/template';
import { htmlDocument } from './html.js';

/** The content of a mail. Without `html` it is plain text only. */
export interface EmailContent {
  readonly subject: string;
  readonly html?: string;
  readonly text: string;
}

/** An event as shown in a mail. */
interface Card {
  readonly type: string;
  /** The subject and time of the event. */
  readonly facts: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/** Fields per event. Gmail cuts mails at 102 KB of HTML, so more events get fewer fields each. */
const maxFields = (events: number): number => (events === 1 ? 20 : events <= 20 ? 5 : 0);
const maxName = 60;
/** 20 values fit in the worst case: three bytes per character, and three characters per encoded byte. */
const maxValue = 400;
/** Cap on the encoded length of all cards. The rest of the 102 KB is for the frame around them. */
const lengthInAll = 96 * 1024;

/** Builds the default mail: type, subject, time and payload of each event, in HTML and plain text. */
export function defaultContent(message: Message): EmailContent {
  const { digest, webhook } = message;
  const events = digest ?? [message];
  const cards = shownOf(events.map((event) => cardOf(event, maxFields(events.length))));
  const more = events.length - cards.length;
  const title = digest ? countOf(digest) : titleOf(message);
  const footer = `Sent for the webhook ${visibleLine(webhook.name)} (${webhook.id})`;
  const rest = more === 0 ? [] : [`… and ${more} more`];
  return {
    subject: title,
    html: htmlOf(title, cards, rest, footer),
    text: textOf(title, cards, rest, footer),
  };
}

/** Returns as many cards as fit, at least one. */
function shownOf(cards: readonly Card[]): readonly Card[] {
  const shown = fitting(cards, (card) => lengthOnWire(cardHtml(card)), lengthInAll);
  return shown.length === 0 ? cards.slice(0, 1) : shown;
}

/** Estimates the length in quoted-printable with soft line breaks (RFC 2045 §6.7). */
function lengthOnWire(text: string): number {
  const escapes = Buffer.byteLength(text) - (text.match(/[ -<>-~]/g)?.length ?? 0);
  return Math.ceil((Buffer.byteLength(text) + 2 * escapes) * (76 / 72));
}

function titleOf(message: Message): string {
  const { title, subject } = summaryOf(message, 0);
  return subject === null ? title : `${title}: ${subject}`;
}

function cardOf(one: DigestedEvent, count: number): Card {
  const { title, subject, fields, moreFields } = summaryOf(one, count);
  const at = `${one.event.occurredAt.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  return {
    type: title,
    facts: subject === null ? at : `${subject} · ${at}`,
    fields: [
      ...fields.map(
        ({ name, value }) => [cutText(name, maxName), cutText(withHost(value), maxValue)] as const,
      ),
      ...(moreFields > 0 && count > 0 ? [['…', `${moreFields} more`] as const] : []),
    ],
  };
}

/**
 * Writes the host of a URL in ASCII, so that look-alike letters stand out. After a user name, appends the host again.
 */
function withHost(value: string): string {
  if (!/^https?:\/\/\S+$/i.test(value) || !URL.canParse(value)) return value;
  const { href, host, username, password } = new URL(value);
  return username === '' && password === '' ? href : `${href} (${host})`;
}

function textOf(title: string, cards: readonly Card[], rest: readonly string[], footer: string): string {
  const parts = cards.map(({ type, facts, fields }) =>
    [type, facts, '', ...fields.map(([name, value]) => `${name}: ${value}`)].join('\n').trimEnd(),
  );
  return [...(cards.length > 1 ? [title] : []), ...parts, ...rest, `-- \n${footer}`].join('\n\n');
}

// All mail clients support tables and inline styles. Those with media queries get dark colours by class.
const dark = `
:root { color-scheme: light dark; supported-color-schemes: light dark; }
@media (prefers-color-scheme: dark) {
  .page { background: #111827 !important; }
  .card { background: #1f2937 !important; border-color: #374151 !important; }
  .strong { color: #f9fafb !important; }
  .weak { color: #9ca3af !important; }
  .line { border-color: #374151 !important; }
  .link { color: #93c5fd !important; }
}`;

const font = "font-family:'Segoe UI',Roboto,Helvetica,Arial,sans-serif;";
const table = 'role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"';

function htmlOf(title: string, cards: readonly Card[], rest: readonly string[], footer: string): string {
  const heading =
    cards.length > 1
      ? `<tr><td class="strong" style="${font}font-size:22px;font-weight:600;color:#111827;padding:0 4px 16px;">${isolated(title)}</td></tr>`
      : '';
  const body = `<table ${table} class="page" style="background:#f3f4f6;"><tr><td align="center" style="padding:24px 12px;">
<table ${table} style="max-width:600px;">
${heading}${cards.map(cardHtml).join('\n')}
${[...rest, footer].map(quietHtml).join('\n')}
</table></td></tr></table>`;
  return htmlDocument(
    `<title>${escapeFor('html', title)}</title><style>${dark}</style>`,
    body,
    'class="page" style="margin:0;padding:0;background:#f3f4f6;"',
  );
}

const quietHtml = (text: string): string =>
  `<tr><td class="weak" style="${font}font-size:12px;color:#6b7280;padding:4px;">${isolated(text)}</td></tr>`;

function cardHtml({ type, facts, fields }: Card): string {
  const rows = fields.map(
    ([name, value]) => `<tr>
<td class="weak line" valign="top" style="${font}font-size:13px;line-height:20px;color:#6b7280;padding:8px 12px 8px 0;border-top:1px solid #e5e7eb;width:30%;word-break:break-word;">${isolated(name)}</td>
<td class="strong line" valign="top" style="${font}font-size:14px;line-height:20px;color:#111827;padding:8px 0;border-top:1px solid #e5e7eb;word-break:break-word;">${valueHtml(value)}</td>
</tr>`,
  );
  return `<tr><td style="padding:0 0 16px;"><table ${table} class="card" style="background:#ffffff;border:1px solid #e5e7eb;border-radius:8px;"><tr><td style="padding:20px 24px;">
<div class="strong" style="${font}font-size:18px;font-weight:600;color:#111827;">${isolated(type)}</div>
<div class="weak" style="${font}font-size:13px;color:#6b7280;padding:4px 0 12px;">${isolated(facts)}</div>
<table ${table}>${rows.join('\n')}</table>
</td></tr></table></td></tr>`;
}

/** Isolates text, so that its direction does not affect the text around it. */
const isolated = (text: string): string => `<bdi>${escapeFor('html', text)}</bdi>`;

/**
 * Formats a value. A complete URL becomes a link with itself as the text; a cut URL, or one with more text, does not.
 */
function valueHtml(value: string): string {
  if (!/^https?:\/\/[^\s…]+$/.test(value)) return isolated(value).replaceAll('\n', '<br>');
  const href = escapeFor('html', value);
  return `<a class="link" href="${href}" style="color:#1d4ed8;"><bdi>${href}</bdi></a>`;
}
