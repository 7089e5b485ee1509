import { PosthornError } from '@posthorn/core';
import type { Message } from '@posthorn/core/channel';
import { contextOf, cutText, type TemplateContext, visibleLine, visibleText } from '@posthorn/template';
import type { EmailConfigs } from './configs.js';
import type { EmailContent } from './default-content.js';
import { htmlText, mailHtml, markdownHtml } from './html.js';
import { contentTypeOf, renderBody, renderSubject } from './templates.js';

/** Cap on a subject. No mail program shows more, and longer subjects are mostly mistakes. */
const maxSubject = 200;

/** Builds the content of a mail, with or without templates. Throws `invalid_template`. */
export async function contentOf(
  message: Message<EmailConfigs>,
  defaultContent: (message: Message<EmailConfigs>) => EmailContent | Promise<EmailContent>,
): Promise<EmailContent> {
  const { configs } = message;
  const context = contextOf(message);
  const subject = visibleLine(renderSubject(configs, context) ?? '');
  const body = renderedContent(configs, context) ?? payloadContent(message);
  // Called only if something is missing, because the application may look up data for it. A mail without a subject
  // looks like spam.
  const standard = subject !== '' && body ? undefined : await defaultContent(message);
  const { html, text } = body ?? standard!;
  const isPlain = contentTypeOf(configs) === 'plain_text';
  return {
    subject: cutText(subject === '' ? visibleLine(standard!.subject) : subject, maxSubject),
    ...(html !== undefined && !isPlain && { html }),
    text,
  };
}

type Body = Pick<EmailContent, 'html' | 'text'>;

/** Builds HTML and plain text from the rendered template. Returns undefined without a template. */
function renderedContent(configs: EmailConfigs, context: TemplateContext): Body | undefined {
  const rendered = renderBody(configs, context);
  if (rendered === undefined) return undefined;
  const source = visibleText(rendered);
  switch (contentTypeOf(configs)) {
    case 'plain_text':
    case 'json':
      return { text: source };
    case 'markdown': {
      // Values are escaped in the HTML. The plain text has no escapes.
      const escaped = visibleText(renderBody(configs, context, 'markdown') ?? '');
      return { html: nestable(() => markdownHtml(escaped)), text: source };
    }
    case 'html': {
      const html = nestable(() => mailHtml(source));
      return { html, text: nestable(() => htmlText(html)) };
    }
  }
}

/** Converts an overflow of the stack to an error: HTML may be nested thousands of levels deep. */
function nestable(convert: () => string): string {
  try {
    return convert();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new PosthornError('invalid_template', 'body_template renders to HTML that is nested too deeply');
  }
}

/** For `json` without a template: returns the payload as dispatched; for a digest, an array of all payloads. */
function payloadContent({ configs, event, digest }: Message<EmailConfigs>): Body | undefined {
  if (contentTypeOf(configs) !== 'json') return undefined;
  const text = digest ? `[\n${digest.map((one) => one.event.payload).join(',\n')}\n]` : event.payload;
  return { text: visibleText(text) };
}
