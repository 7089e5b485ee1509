import { type Channel, isPosthornError, PosthornError } from '@posthorn/core';
import { failed, type Message, redact } from '@posthorn/core/channel';
import { checkHeaders, verdictOf } from '@posthorn/outbound';
import { type JsonTemplate, parseJsonTemplate } from '@posthorn/template';
import { bodyOf, type HttpBody, renderedBody } from './body.js';
import { defaultTimeout, type HttpConfigs, httpConfigs } from './configs.js';
import { derivedSecrets } from './derived-secrets.js';
import { type HttpChannelOptions, settingsOf } from './options.js';
import { SharedBody, type WrittenBody, writtenBody } from './shared-body.js';
import { signatureOf } from './sign.js';

/** The parts that all requests of one binding share. */
interface Prepared {
  /** Alternating names and values. Building an object for each request would cost more than the signature. */
  readonly headers: readonly string[];
  /** Secrets to redact from the response, besides those that the engine redacts. */
  readonly secrets: readonly string[];
  readonly template: JsonTemplate | undefined;
}

/**
 * How much later than the client's timeout the engine's deadline is. The client ends the attempt first, because it
 * knows what has arrived by then.
 */
const graceMs = 250;

/**
 * Creates the `webhook` channel: an HTTP request with the event as its body, signed by Standard Webhooks 1.0.0 with
 * every secret of the webhook. `webhook-id` is the event's id, the same for every retry; `webhook-timestamp` is the
 * time of the attempt. Nothing is sent unsigned. A digest is one request, with the digest's id. Throws
 * `invalid_option`.
 */
export function httpChannel(options: HttpChannelOptions = {}): Channel<HttpConfigs, 'webhook'> {
  const { writer, userAgent, outbound, tls } = settingsOf(options);
  const preparations = new WeakMap<HttpConfigs, Prepared>();

  /** Prepares a binding. Checks the headers again, because stored ones may predate the current rules. */
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
    supportsDigests: true,
    config: httpConfigs(outbound),
    deadlineMs: (configs) => timeoutMs(configs) + graceMs,

    async send(message, signal) {
      const { event, deliveryId, configs, secrets } = message;
      // A digest has an id of its own, because its first event may leave it. A single event has its own id, in an array
      // or not, because digests may have been turned on for the binding between two attempts.
      const id = deliveryId.startsWith('dig_') ? deliveryId : event.id;
      if (secrets.length === 0) return failed('config', 'the webhook has no signing secret');
      try {
        const prepared = prepare(configs);
        // The signed bytes are the sent bytes.
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
          // Receivers recognize a repetition by its webhook-id.
          idempotent: true,
          ...(tls && { tls: await tls(message.webhook) }),
          signal,
        });
        return verdictOf(result, (answer) => redact(answer, prepared.secrets));
      } catch (error) {
        // An invalid secret, URL, header or template. Nothing was sent.
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
