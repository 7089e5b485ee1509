import { type Channel, isPosthornError } from '@posthorn/core';
import { checkedText, configsSchema } from '@posthorn/core/channel';
import { checkHeaders, type Outbound } from '@posthorn/outbound';
import { parseJsonTemplate } from '@posthorn/template';
import { z } from 'zod';

/** The configs of a `webhook` channel, with the field names of the REST API. Optional fields may be null. */
export interface HttpConfigs {
  /** The target URL: `https:`, or `http:` if the outbound policy allows it. */
  readonly url: string;
  /** Additional headers, at most 32. See `checkHeaders` of `@posthorn/outbound`. */
  readonly headers?: Readonly<Record<string, string>> | null | undefined;
  /** A JSON document that replaces the body. Its strings are templates: see `@posthorn/template`. */
  readonly payload_template?: Readonly<Record<string, unknown>> | null | undefined;
  /** Timeout of an attempt in seconds, more than 0 and at most 60. Default 10. */
  readonly timeout?: number | null | undefined;
  /** Default `POST`. */
  readonly method?: 'POST' | 'PUT' | 'PATCH' | null | undefined;
}

export const defaultTimeout = 10;
const maxTimeout = 60;

/** Creates the schema that validates configs when a webhook is saved. Every issue has the path of its field. */
export function httpConfigs(outbound: Pick<Outbound, 'checkUrl'>): Channel<HttpConfigs>['config'] {
  // It takes any value. What a webhook gives it is HttpConfigs, for the compiler.
  return configsSchema('webhook', {
    url: checkedText((url) => checkAddress(outbound, url)),
    headers: object('must be an object of strings, or null')
      .transform((headers, context) => collectIssues(context, () => checkHeaders(headers)) ?? {})
      .nullish(),
    payload_template: object('must be an object or null')
      .superRefine((document, context) => void collectIssues(context, () => parseJsonTemplate(document)))
      .nullish(),
    timeout: z
      .number({ error: 'must be a number of seconds' })
      .positive({ error: 'must be more than 0' })
      .max(maxTimeout, { error: `must be at most ${maxTimeout} seconds` })
      .nullish(),
    method: z.enum(['POST', 'PUT', 'PATCH'], { error: 'must be POST, PUT or PATCH' }).nullish(),
  }) as z.ZodType<HttpConfigs, HttpConfigs>;
}

const object = (error: string): z.ZodCustom<Record<string, unknown>> =>
  z.custom<Record<string, unknown>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    { error },
  );

/** Checks a URL. Accepts a name that does not resolve yet: it is resolved again at each connection. */
async function checkAddress(outbound: Pick<Outbound, 'checkUrl'>, url: string): Promise<void> {
  try {
    await outbound.checkUrl(url);
  } catch (error) {
    if (!isPosthornError(error) || error.code !== 'url_unresolvable') throw error;
  }
}

/** Returns the result of `check`. Converts an error to issues, each with its path. */
function collectIssues<T>(context: z.RefinementCtx, check: () => T): T | undefined {
  try {
    return check();
  } catch (error) {
    const issues = isPosthornError(error) ? error.issues : [];
    for (const { path, message } of issues) context.addIssue({ code: 'custom', path: [...path], message });
    if (issues.length === 0) context.addIssue(error instanceof Error ? error.message : 'is not valid');
    return undefined;
  }
}
