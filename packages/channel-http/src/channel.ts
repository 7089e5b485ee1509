import { type Channel, failed, isPosthornError, type Message, PosthornError, redact } from '@posthorn/core';
import { checkHeaders, verdictOf } from '@posthorn/outbound';
import { type JsonTemplate, parseJsonTemplate } from '@posthorn/template';
import { bodyOf, type HttpBody, renderedBody } from './body.js';
import { defaultTimeout, type HttpConfigs, httpConfigs } from './configs.js';
import { derivedSecrets } from './derived-secrets.js';
import { type HttpChannelOptions, settingsOf } from './options.js';
import { SharedBody, type WrittenBody, writtenBody } from './shared-body.js';
import { signatureOf } from './sign.js';

/** What all requests of one binding have in common. */
interface Prepared {
  /** Names and values in turn: an object made anew for each request would cost more than the signature. */
  readonly headers: readonly string[];
  /** What an answer may not repeat, besides what the engine cuts from it. */
  readonly secrets: readonly string[];
  readonly template: JsonTemplate | undefined;
}

/** The client ends an attempt at its timeout and knows what has come by then; the engine's deadline stands behind it. */
const graceMs = 250;

/**
 * The `webhook` channel: an HTTP request with the event as its body, signed by Standard Webhooks 1.0.0 with every
 * secret of the webhook. `webhook-id` is the event's id and stays over retries; `webhook-timestamp` is of the
 * attempt. Nothing is sent unsigned. A digest is one request, with its own name as the id. Throws `invalid_option`.
 */
export function httpChannel(options: HttpChannelOptions = {}): Channel<HttpConfigs> {
  const { writer, userAgent, outbound, tls } = settingsOf(options);
  const preparations = new WeakMap<HttpConfigs, Prepared>();

  /** Checks the headers once more: what is stored may be older than the rules. */
  function prepare(configs: HttpConfigs): Prepared {
    const known = preparations.get(configs);
    if (known) return known;
    const own = checkHeaders(configs.headers ?? {});
    const prepared = {
      headers: [...Object.entries(own).flat(), 'user-agent', userAgent],
      secrets: derivedSecrets(own, configs.url),
      template: configs.payload_template ? parseJsonTemplate(configs.payload_template) : undefined,
    };
    preparations.set(configs, prepared);
    return prepared;
  }

  const shared = new SharedBody();

  function written(message: Message<HttpConfigs>, prepared: Prepared): WrittenBody {
    const make = (): WrittenBody => writtenBody(write(message, prepared));
    return prepared.template || message.digest ? make() : shared.of(message.event, make);
  }

  function write(message: Message<HttpConfigs>, { template }: Prepared): HttpBody {
    if (!template) return bodyOf(message, writer);
    try {
      return renderedBody(template, message, writer);
    } catch (error) {
      if (!isPosthornError(error)) throw error;
      const { code, message: reason, issues } = error;
      throw new PosthornError(code, `payload_template cannot be rendered: ${reason}`, { issues });
    }
  }

  return {
    type: 'webhook',
    secretPaths: [['headers']],
    takesCancellation: true,
    takesDigests: true,
    config: httpConfigs(outbound),
    deadlineMs: (configs) => timeoutMs(configs) + graceMs,

    async send(message, signal) {
      const { event, deliveryId, configs, secrets } = message;
      // A digest goes by its own name, as its first event may leave it. What goes alone goes by its event's, in an array
      // or not: the binding may have come to want digests between two tries.
      const id = deliveryId.startsWith('dig_') ? deliveryId : event.id;
      if (secrets.length === 0) return failed('config', 'the webhook has no signing secret');
      try {
        const prepared = prepare(configs);
        // Signed and sent are the same bytes.
        const { body, bytes } = written(message, prepared);
        const timestamp = Math.floor(message.startedAt.getTime() / 1000);
        const result = await outbound.request({
          url: configs.url,
          method: configs.method ?? 'POST',
          headers: [
            ...prepared.headers,
            ...body.headers,
            'content-type',
            body.contentType,
            'webhook-id',
            id,
            'webhook-timestamp',
            String(timestamp),
            'webhook-signature',
            signatureOf(secrets, id, timestamp, bytes),
          ],
          body: bytes,
          timeoutMs: timeoutMs(configs),
          // Receivers know a repetition by its webhook-id.
          idempotent: true,
          ...(tls && { tls: await tls(message.webhook) }),
          signal,
        });
        return verdictOf(result, (answer) => redact(answer, prepared.secrets));
      } catch (error) {
        // A secret, an address or a header that must not be used, or a template that cannot: nothing was sent.
        if (isPosthornError(error)) return failed('config', error.message);
        throw error;
      }
    },

    async preview(message) {
      const { pieces, contentType } = write(message, prepare(message.configs));
      return [{ name: 'body', type: contentType, text: pieces.join('') }];
    },
  };
}

const timeoutMs = ({ timeout }: HttpConfigs): number =>
  Math.max(Math.round((timeout ?? defaultTimeout) * 1000), 1);
