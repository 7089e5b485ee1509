import {
  type JsonTemplate,
  type Place,
  parseJsonText,
  parseTemplate,
  type Template,
  type TemplateContext,
  writeJson,
} from '@posthorn/template';

/** The media type of the body of an email. */
export type EmailContentType = 'plain_text' | 'html' | 'markdown' | 'json';

/** The fields of the configs for templates. */
export interface Templates {
  /** Replaces the subject. */
  readonly subject_template?: string | null | undefined;
  /** Replaces the body, in the language of `content_type`. */
  readonly body_template?: string | null | undefined;
  /** Default `html`. */
  readonly content_type?: EmailContentType | null | undefined;
}

/** The place of values. Markdown uses `plain`, for the plain text part. */
const places: Readonly<Record<Exclude<EmailContentType, 'json'>, Place>> = {
  plain_text: 'plain',
  html: 'html',
  markdown: 'plain',
};

export const contentTypeOf = ({ content_type }: Templates): EmailContentType => content_type ?? 'html';

/** Renders the subject. Returns undefined without a template. Throws `invalid_template`. */
export function renderSubject(
  { subject_template: source }: Templates,
  context: TemplateContext,
): string | undefined {
  return source == null ? undefined : parseTemplate(source, 'header').render(context);
}

/** Renders the body in its own language, with values escaped for `place`. Throws `invalid_template`. */
export function renderBody(
  { body_template: source, ...configs }: Templates,
  context: TemplateContext,
  place?: Place,
): string | undefined {
  if (source == null) return undefined;
  const rendered = parseBody(source, contentTypeOf(configs), place).render(context);
  return typeof rendered === 'string' && contentTypeOf(configs) !== 'json'
    ? rendered
    : writeJson(rendered, 2);
}

/** Parses a body template in the language of `type`. Throws `invalid_template`. */
export const parseBody = (source: string, type: EmailContentType, place?: Place): Template | JsonTemplate =>
  type === 'json' ? parseJsonText(source) : parseTemplate(source, place ?? places[type]);
