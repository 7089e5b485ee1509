import { escapeFor, visibleText } from '@posthorn/template';
import { fromHtml } from 'hast-util-from-html';
import { defaultSchema, type Schema, sanitize } from 'hast-util-sanitize';
import { toHtml } from 'hast-util-to-html';
import { convert } from 'html-to-text';
import markdownIt from 'markdown-it';

/**
 * The HTML that a mail may contain: tables with the attributes that mail clients still need, styles, images and links.
 * No scripts, forms, frames or event handlers; URLs of `http:`, `https:` and `mailto:` only.
 */
const schema: Schema = {
  ...defaultSchema,
  clobberPrefix: '',
  allowDoctypes: true,
  tagNames: [
    ...(defaultSchema.tagNames ?? []).filter((name) => name !== 'input'),
    ...[
      'html',
      'head',
      'body',
      'title',
      'meta',
      'style',
      'center',
      'font',
      'u',
      'small',
      'figure',
      'figcaption',
    ],
    ...[
      'header',
      'footer',
      'main',
      'article',
      'nav',
      'caption',
      'colgroup',
      'col',
      'bdi',
      'bdo',
      'mark',
      'wbr',
    ],
  ],
  ancestors: {},
  attributes: {
    a: ['href', 'target', 'rel', 'name'],
    img: ['src', 'width', 'height'],
    meta: [['name', 'viewport', 'color-scheme', 'supported-color-schemes'], 'content', 'charSet'],
    style: ['type', 'media'],
    font: ['color', 'face', 'size'],
    body: ['bgColor', 'text', 'link'],
    ol: ['start', 'type'],
    '*': [
      ...['style', 'className', 'id', 'title', 'lang', 'dir', 'role', 'alt', 'ariaHidden', 'ariaLabel'],
      ...['align', 'vAlign', 'bgColor', 'width', 'height', 'border', 'cellPadding', 'cellSpacing'],
      ...['colSpan', 'rowSpan', 'noWrap'],
    ],
  },
  required: {},
  protocols: { href: ['http', 'https', 'mailto'], src: ['http', 'https'] },
  strip: ['script'],
};

/** A parsed tree, as the sanitiser accepts and returns it. */
type Tree = Parameters<typeof toHtml>[0];

/**
 * Sanitises HTML for a mail and returns a whole document. A fragment gets a document that suits light and dark mode. If
 * the text of a link looks like another host than the target, the target's host is appended. With `namesHosts`, it is
 * appended whenever the text does not contain it.
 */
export function mailHtml(html: string, { namesHosts = false } = {}): string {
  const isDocument = /<(?:html|body)[\s>]/i.test(html);
  const tree = sanitize(fromHtml(html, { fragment: !isDocument }), schema);
  makeVisible(tree, namesHosts);
  const inside = toHtml(tree);
  if (isDocument) return /^<!doctype/i.test(inside) ? inside : `<!doctype html>${inside}`;
  return htmlDocument('', inside, 'style="font-family:sans-serif;line-height:1.5;"');
}

/** Builds a document that declares support of light and dark mode. `head`, `body` and its attributes are HTML. */
export function htmlDocument(head: string, body: string, attributes: string): string {
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">',
    `${head}</head><body ${attributes}>`,
    `${body}</body></html>`,
  ].join('\n');
}

/** A Markdown renderer that treats HTML as text. */
const markdown = markdownIt({ html: false, linkify: false });
// An image becomes a link, because loading it would reveal who reads the mail, and when.
markdown.renderer.rules.image = (tokens, at) => {
  const token = tokens[at]!;
  const href = escapeFor('html', String(token.attrGet('src') ?? ''));
  return `<a href="${href}">${escapeFor('html', token.content)}</a>`;
};

/** Renders Markdown as HTML for a mail. Each link shows its host. */
export function markdownHtml(text: string): string {
  return mailHtml(markdown.render(text), { namesHosts: true });
}

/** Text that looks like a host, in letters of any script. */
const hostLike = /[\p{L}\p{N}]\.\p{L}{2,}/u;

function makeVisible(node: Tree, namesHosts: boolean): void {
  if (Array.isArray(node)) return;
  // The parser has decoded references such as &#8238;.
  if (node.type === 'text') node.value = visibleText(node.value);
  if (!('children' in node)) return;
  for (const child of node.children) makeVisible(child, namesHosts);
  if (node.type !== 'element' || node.tagName !== 'a') return;
  const { href } = node.properties;
  const host = typeof href === 'string' && URL.canParse(href) ? new URL(href).host : '';
  const text = textOf(node);
  // “good.example” within “good.example.evil.example” is another host.
  const isNamed = text.split(/[\s/:?#@()<>]+/).includes(host);
  if (host !== '' && !isNamed && (namesHosts || hostLike.test(text))) {
    node.children.push({ type: 'text', value: ` (${host})` });
  }
}

function textOf(node: Tree): string {
  if (Array.isArray(node)) return '';
  if (node.type === 'text') return node.value;
  return 'children' in node ? node.children.map((child): string => textOf(child)).join('') : '';
}

/** Converts an HTML document to plain text, with the URLs of links. */
export function htmlText(html: string): string {
  return convert(html, {
    wordwrap: false,
    selectors: [
      { selector: 'a', options: { hideLinkHrefIfSameAsText: true } },
      { selector: 'img', format: 'skip' },
      ...['table', 'td', 'th'].map((selector) => ({ selector, format: 'block' })),
      ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({
        selector,
        options: { uppercase: false },
      })),
    ],
  });
}
