import { isPosthornError, type Message, PosthornError } from '@posthorn/core';

/** What a payload template may speak of: the event, under the names it has on the wire, and nothing else. */
export interface TemplateContext {
  readonly event_id: string;
  readonly event_type: string;
  /** ISO 8601 UTC. */
  readonly occurred_at: string;
  readonly namespace_id: string | null;
  readonly subject: { readonly type: string; readonly id: string } | null;
  /** The event's payload. */
  readonly metadata: unknown;
  /** Where the event has one. */
  readonly cache_scope?: unknown;
}

/** Renders payload templates, in whatever language it speaks. */
export interface PayloadTemplate {
  /** Throws or rejects, saying what is wrong, where `template` cannot be rendered. Asked when a webhook is saved. */
  check(template: Readonly<Record<string, unknown>>): void | Promise<void>;
  /** The body to send, as a value with a JSON form. Where it throws, the attempt has failed. */
  render(template: Readonly<Record<string, unknown>>, context: TemplateContext): unknown;
}

/** As much as the payload of an event may have by default: a loop in a template must not send megabytes. */
const maxBytes = 256 * 1024;

/** The rendered body as JSON text, of at most 256 KiB. Rejects with `invalid_payload`. */
export async function renderBody(
  template: PayloadTemplate | undefined,
  document: Readonly<Record<string, unknown>>,
  { event, payload }: Message,
): Promise<string> {
  if (!template) throw notRendered('httpChannel was made without its template option');
  let text: string | undefined;
  try {
    const rendered = await template.render(document, {
      event_id: event.id,
      event_type: event.type,
      occurred_at: event.occurredAt.toISOString(),
      namespace_id: event.namespaceId,
      subject: event.subject,
      metadata: payload,
      ...(event.cacheScope === null ? {} : { cache_scope: JSON.parse(event.cacheScope) }),
    });
    text = JSON.stringify(rendered);
  } catch (cause) {
    // Errors of other people may quote what they were given.
    throw notRendered(isPosthornError(cause) ? cause.message : 'rendering it threw an error');
  }
  if (text === undefined) throw notRendered('what it renders to has no JSON form');
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) throw notRendered(`it renders to ${bytes} bytes, more than ${maxBytes}`);
  return text;
}

const notRendered = (reason: string): PosthornError =>
  new PosthornError('invalid_payload', `payload_template cannot be rendered: ${reason}`);
