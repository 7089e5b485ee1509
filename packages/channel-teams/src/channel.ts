import { type Channel, PosthornError } from '@posthorn/core';
import {
  checkedText,
  configsSchema,
  failed,
  gone,
  type Message,
  rateLimited,
  rejected,
} from '@posthorn/core/channel';
import {
  type JsonServiceOptions,
  jsonService,
  type ReadAnswer,
  retryAfterMs,
  strangersVerdict,
} from '@posthorn/outbound';
import { anyValue, contextOf, type PlaceOf, parseJsonText, writeJson } from '@posthorn/template';
import { defaultCard } from './card.js';
import { type Fields, fittedCard } from './fit.js';

/** The configs of a `teams` channel, with the field names of the REST API. Optional fields may be null. */
export interface TeamsConfigs {
  /** The signed URL of a workflow with the trigger "When a Teams webhook request is received". */
  readonly workflow_url: string;
  /** A template that renders to an Adaptive Card as JSON, which replaces the default one. */
  readonly card_template?: string | null | undefined;
}

/** Options of `teamsChannel`. */
export type TeamsChannelOptions = JsonServiceOptions;

const hosts = ['*.api.powerplatform.com', '*.logic.azure.com'];

/** About 28 KB. Source: Microsoft, the Teams connector's "Message size limit". */
const maxBytes = 28 * 1024;

/**
 * Creates the `teams` channel: it posts each event as an Adaptive Card through a Power Automate workflow. Throws
 * `invalid_option`.
 */
export function teamsChannel(options: TeamsChannelOptions = {}): Channel<TeamsConfigs, 'teams'> {
  const teams = jsonService('teamsChannel', hosts, options);
  return {
    type: 'teams',
    secretPaths: [['workflow_url']],
    supportsDigests: true,
    config: configsSchema('teams', {
      workflow_url: checkedText(teams.checkUrl),
      card_template: checkedText(checkCard).nullish(),
    }),

    async preview(message) {
      return [{ name: 'body', type: 'application/json', text: writeJson(bodyOf(message), 2) }];
    },

    send(message, signal) {
      const url = message.configs.workflow_url;
      return teams.post({ url, body: () => bodyOf(message), write: writeJson, signal }, teamsVerdict);
    },
  };
}

/**
 * The place of each string in a card. Teams interprets Markdown in a TextBlock and in a FactSet. Source: Microsoft,
 * "Text features in Adaptive Cards".
 */
const placeOf: PlaceOf = (path, type) => {
  const field = path.at(-1);
  if (type === 'TextBlock' && field === 'text') return 'markdown';
  if (path.at(-3) === 'facts' && (field === 'title' || field === 'value')) return 'markdown';
  if (field === 'url') return 'address';
  return type === 'TextRun' && field === 'text' ? 'text_run' : 'plain';
};

const noCard = 'must render to an object of the type AdaptiveCard';

/** Checks a template when it is saved, as far as its shape is known. Throws `invalid_template`. */
function checkCard(source: string): void {
  const { shape } = parseJsonText(source, 'plain', placeOf);
  const { type } = Object(shape) as { readonly type?: unknown };
  if (shape === anyValue || type === anyValue || type === 'AdaptiveCard') return;
  throw new PosthornError('invalid_template', noCard, { issues: [{ path: [], message: noCard }] });
}

/** Builds the request body. Throws `invalid_template`. */
function bodyOf(message: Message<TeamsConfigs>): unknown {
  const { card_template } = message.configs;
  const content = card_template
    ? parseJsonText(card_template, 'plain', placeOf).render(contextOf(message))
    : defaultCard(message);
  if (Object(content).type !== 'AdaptiveCard') {
    throw new PosthornError('invalid_template', `card_template ${noCard}`);
  }
  const bytes = bytesOf(bodyWith(content));
  if (bytes <= maxBytes) return bodyWith(content);
  const fit = fittedCard(content as Fields, maxBytes - bytesOf(bodyWith(null)));
  if (fit) return bodyWith(fit);
  throw new PosthornError(
    'invalid_template',
    `card_template renders to ${bytes} bytes, more than ${maxBytes}`,
  );
}

const contentType = 'application/vnd.microsoft.card.adaptive';

const bodyWith = (content: unknown): unknown => ({
  type: 'message',
  attachments: [{ contentType, contentUrl: null, content }],
});

const bytesOf = (body: unknown): number => Buffer.byteLength(writeJson(body));

/** The wait after a 429 that names no time. */
const usualWaitMs = 1_000;

/**
 * Reads a response with the error codes of Azure Logic Apps. A disabled workflow has failed: it may be enabled again.
 */
const teamsVerdict: ReadAnswer = (answer, { error }) => {
  const { status, body: response } = answer;
  const { code } = Object(error) as { readonly code?: unknown };
  const report = { status, response };
  if (status === 429) {
    const waitMs = retryAfterMs(answer.headers['retry-after']) ?? usualWaitMs;
    return rateLimited(waitMs, 'Teams answered 429: too many messages', report);
  }
  if (code === 'WorkflowNotFound') return gone('http_status', 'there is no such workflow', report);
  if (code === 'WorkflowTriggerIsNotEnabled')
    return failed('http_status', 'the workflow is turned off', report);
  // The service's errors have a code. A response without one is from another server, e.g. a proxy.
  const isOwn = typeof code === 'string';
  if (isOwn && (status === 400 || status === 413)) {
    return rejected('http_status', `Teams answered ${status}`, report);
  }
  return strangersVerdict(answer);
};
