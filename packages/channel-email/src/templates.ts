import { isPosthornError } from '@posthorn/core';
import {
  type JsonTemplate,
  type Place,
  parseJsonText,
  parseTemplate,
  type Template,
  type TemplateContext,
} from '@posthorn/template';
import type { EmailConfigs, EmailContentType } from './configs.js';

type Templates = Pick<EmailConfigs, 'subject_template' | 'body_template' | 'content_type'>;

/** Markdown escapes HTML when it is rendered, its values with it. */
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

/** The body as the template renders it, in its own language. Throws `invalid_template`. */
export function renderBody(
  { body_template: source, ...configs }: Templates,
  context: TemplateContext,
): string | undefined {
  if (source == null) return undefined;
  const rendered = parseBody(source, contentTypeOf(configs)).render(context);
  return typeof rendered === 'string' && contentTypeOf(configs) !== 'json'
    ? rendered
    : JSON.stringify(rendered, null, 2);
}

const parseBody = (source: string, type: EmailContentType): Template | JsonTemplate =>
  type === 'json' ? parseJsonText(source) : parseTemplate(source, places[type]);

/** What is wrong with templates that are to be saved: the field, and the line and column. */
export function templateFaults({ subject_template: subject, body_template: body, ...configs }: Templates): {
  readonly field: string;
  readonly message: string;
}[] {
  const faultOf = (field: string, parse: () => unknown) => {
    try {
      parse();
      return [];
    } catch (error) {
      if (!isPosthornError(error)) throw error;
      const [issue] = error.issues;
      return [
        {
          field,
          message:
            issue && issue.path.length > 0 ? `${issue.path.join('.')}: ${issue.message}` : error.message,
        },
      ];
    }
  };
  return [
    ...(subject == null ? [] : faultOf('subject_template', () => parseTemplate(subject, 'header'))),
    ...(body == null ? [] : faultOf('body_template', () => parseBody(body, contentTypeOf(configs)))),
  ];
}
