import {
  type JsonTemplate,
  type Place,
  parseJsonText,
  parseTemplate,
  type Template,
  type TemplateContext,
  writeJson,
} from '@posthorn/template';

export type EmailContentType = 'plain_text' | 'html' | 'markdown' | 'json';

/** What of the configs is about templates. */
export interface Templates {
  /** Takes the place of the subject. */
  readonly subject_template?: string | null | undefined;
  /** Takes the place of the body, in the language that `content_type` names. */
  readonly body_template?: string | null | undefined;
  /** Default `html`. */
  readonly content_type?: EmailContentType | null | undefined;
}

/** Of Markdown as people read it who see the plain text. */
const places: Readonly<Record<Exclude<EmailContentType, 'json'>, Place>> = {
  plain_text: 'plain',
  html: 'html',
  markdown: 'plain',
};

export const contentTypeOf = ({ content_type }: Templates): EmailContentType => content_type ?? 'html';

/** The subject as the template renders it; undefined where there is none. Throws `invalid_template`. */
export function renderSubject(
  { subject_template: source }: Templates,
  context: TemplateContext,
): string | undefined {
  return source == null ? undefined : parseTemplate(source, 'header').render(context);
}

/** The body as the template renders it, in its own language, its values escaped for `place`. Throws `invalid_template`. */
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

/** Reads a body in the language that `type` names. Throws `invalid_template`. */
export const parseBody = (source: string, type: EmailContentType, place?: Place): Template | JsonTemplate =>
  type === 'json' ? parseJsonText(source) : parseTemplate(source, place ?? places[type]);
