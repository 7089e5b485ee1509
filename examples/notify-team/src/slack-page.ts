import { escapeFor } from '@posthorn/template';

/*
 * Renders a Slack message as an HTML page: the blocks and the markup that the channel writes. Slack's own client
 * renders them in its own way.
 */

interface Text {
  readonly type: 'plain_text' | 'mrkdwn';
  readonly text: string;
}

interface Block {
  readonly type: string;
  readonly text?: Text;
  readonly fields?: readonly Text[];
  readonly elements?: readonly Text[];
}

/** Renders a message. `body` is that of a request to an incoming webhook; `app` is the name of its app. */
export function slackPage(app: string, body: { readonly text?: unknown; readonly blocks?: unknown }): string {
  const blocks = (body.blocks ?? []) as readonly Block[];
  return `<!doctype html>
<!-- Drawn from the blocks of the message by examples/notify-team; Slack's own client draws them in its own way. -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${textHtml(String(body.text ?? ''))}</title>
<style>${styles}</style>
</head>
<body>
<article>
<div class="picture">${escapeFor('html', app.slice(0, 1))}</div>
<div class="message">
<p class="sender"><b>${escapeFor('html', app)}</b> <span class="app">APP</span></p>
${blocks.map(blockHtml).join('\n')}
</div>
</article>
</body>
</html>
`;
}

function blockHtml({ type, text, fields = [], elements = [] }: Block): string {
  if (type === 'header' && text) return `<h1>${html(text)}</h1>`;
  if (type === 'context') {
    return `<div class="context">${elements.map((element) => `<span>${html(element)}</span>`).join('\n')}</div>`;
  }
  if (type !== 'section') throw new Error(`a block of type ${type} cannot be drawn`);
  const paragraph = text ? `<p>${html(text)}</p>` : '';
  const listed = fields.map((field) => `<div>${html(field)}</div>`).join('\n');
  return paragraph + (listed && `<div class="fields">\n${listed}\n</div>`);
}

const html = ({ type, text }: Text): string => (type === 'mrkdwn' ? markupHtml(text) : textHtml(text));

/** mrkdwn as the channel writes it: `*bold*`, `<address>` and `<!date^…|…>`. */
function markupHtml(markup: string): string {
  return markup
    .split(/(<[^<>]+>)/)
    .map((part) =>
      part.startsWith('<') ? linkHtml(part) : textHtml(part).replace(/\*([^*\n]+)\*/g, '<b>$1</b>'),
    )
    .join('');
}

function linkHtml(link: string): string {
  const [, seconds] = /^<!date\^(\d+)\^/.exec(link) ?? [];
  if (seconds !== undefined) return `<time>${dateOf(Number(seconds))}</time>`;
  const address = textHtml(link.slice(1, -1));
  return `<a href="${address}">${address}</a>`;
}

/** The date for a reader in UTC: `May 15, 2019 3:20 PM`. */
function dateOf(seconds: number): string {
  const format = { timeZone: 'UTC', hour12: true } as const;
  const at = new Date(seconds * 1_000);
  const day = at.toLocaleDateString('en-US', { ...format, dateStyle: 'medium' });
  const time = at.toLocaleTimeString('en-US', { ...format, timeStyle: 'short' });
  return `${day} ${time}`.replace(/\s/g, ' '); // the space before PM differs between versions of ICU
}

/** Slack escapes three characters, also in plain text. */
function textHtml(text: string): string {
  const plain = text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
  return escapeFor('html', plain).replaceAll('\n', '<br>');
}

const styles = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --strong: #1d1c1d; --weak: #616061; --link: #1264a3; --badge: #dddddd;
}
@media (prefers-color-scheme: dark) {
  :root { --page: #1a1d21; --strong: #d1d2d3; --weak: #ababad; --link: #1d9bd1; --badge: #35373b; }
}
* { margin: 0; }
body { background: var(--page); color: var(--strong); font: 15px/1.46 Lato, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif; }
article { display: flex; gap: 10px; max-width: 640px; padding: 20px 24px; }
.picture { flex: none; width: 36px; height: 36px; border-radius: 8px; background: #7c3aed; color: #ffffff; font: bold 20px/36px Lato, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif; text-align: center; }
.message { flex: 1; min-width: 0; overflow-wrap: anywhere; }
.app { background: var(--badge); color: var(--weak); border-radius: 3px; font-size: 10px; font-weight: bold; padding: 1px 4px; vertical-align: 1px; }
h1 { font-size: 18px; line-height: 1.3; padding: 6px 0 8px; }
.fields { display: grid; grid-template-columns: 1fr 1fr; gap: 10px 16px; padding: 8px 0; }
.context { display: flex; flex-wrap: wrap; gap: 2px 8px; color: var(--weak); font-size: 13px; padding: 6px 0 0; }
a { color: var(--link); text-decoration: none; }
`;
