import {
  type HttpStandIn,
  httpStandIn,
  jsonAnswer,
  jsonBody,
  type StandInAnswer,
} from '../http-stand-in/server.js';

/** Options of `teamsStandIn`. */
export interface TeamsStandInOptions {
  /** Whether the workflow accepts four requests a second and answers 429 to more. Default false. */
  readonly limitRate?: boolean;
  /** The clock of the rate limit, in milliseconds. Default `Date.now`. */
  readonly now?: () => number;
}

/** An accepted message. */
export interface TeamsStandInMessage {
  /** The parsed body of the request. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Its Adaptive Card. */
  readonly card: Readonly<Record<string, unknown>>;
}

/** A stand-in for a Teams workflow on 127.0.0.1. */
export interface TeamsStandIn extends HttpStandIn {
  /** The signed URL of the trigger "When a Teams webhook request is received". */
  readonly workflowUrl: string;
  /** The accepted messages, in order. */
  readonly messages: readonly TeamsStandInMessage[];
  /** Deletes the workflow: from now on it answers 404, `WorkflowNotFound`. */
  removeWorkflow(): void;
  /** Turns the workflow off: from now on it answers 400, `WorkflowTriggerIsNotEnabled`. */
  turnOffWorkflow(): void;
}

const maxPerSecond = 4;
/** Source: Microsoft, the Teams connector's "Message size limit", about 28 KB. */
const maxBytes = 28 * 1024;

const refusal = (status: number, code: string, message: string, headers = {}): StandInAnswer =>
  jsonAnswer(status, { error: { code, message } }, headers);

const cardType = 'application/vnd.microsoft.card.adaptive';

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Returns the only card of a message, where Teams could display it. */
function cardOf(body: unknown): TeamsStandInMessage['card'] | undefined {
  if (!isObject(body) || body.type !== 'message' || !Array.isArray(body.attachments)) return undefined;
  const [attachment] = body.attachments as unknown[];
  if (!isObject(attachment) || attachment.contentType !== cardType || !isObject(attachment.content)) {
    return undefined;
  }
  const { type, version, body: elements } = attachment.content;
  const isCard = type === 'AdaptiveCard' && /^1\.[0-5]$/.test(String(version)) && Array.isArray(elements);
  return isCard && elements.every((element) => isObject(element) && typeof element.type === 'string')
    ? attachment.content
    : undefined;
}

/**
 * Starts the workflow behind a Teams channel on 127.0.0.1, as far as it is documented: a signed URL that accepts a
 * message with an Adaptive Card (version 1.5 at most, as Teams supports) and answers 202 before anything is posted.
 */
export async function teamsStandIn(options: TeamsStandInOptions = {}): Promise<TeamsStandIn> {
  const { limitRate = false, now = Date.now } = options;
  const trigger = `/workflows/${'0123456789abcdef'.repeat(2)}/triggers/manual/paths/invoke`;
  const sig = 'standInStandInStandInStandInStandInStandIn0';
  const messages: TeamsStandInMessage[] = [];
  let takenAt: number[] = [];
  let isRemoved = false;
  let isTurnedOff = false;

  const server = await httpStandIn((request) => {
    const { pathname, searchParams } = new URL(request.path, 'http://stand-in');
    if (isRemoved || pathname !== trigger) {
      return refusal(404, 'WorkflowNotFound', 'The workflow could not be found.');
    }
    if (!searchParams.has('api-version')) {
      return refusal(400, 'MissingApiVersionParameter', 'The api-version query parameter is required.');
    }
    if (searchParams.get('sig') !== sig) {
      return refusal(401, 'DirectApiAuthorizationRequired', 'The request must be signed.');
    }
    if (isTurnedOff) return refusal(400, 'WorkflowTriggerIsNotEnabled', 'The trigger is not enabled.');
    takenAt = takenAt.filter((at) => at > now() - 1_000);
    if (limitRate && takenAt.length >= maxPerSecond) {
      return refusal(429, 'WorkflowTriggerRateLimitExceeded', 'Too many requests.', { 'retry-after': '1' });
    }
    if (Buffer.byteLength(request.body) > maxBytes) {
      return refusal(413, 'RequestEntityTooLarge', 'Request Entity too large');
    }
    const body = jsonBody(request);
    const card = cardOf(body);
    if (!card) return refusal(400, 'TriggerInputSchemaMismatch', 'The body must be a message with one card.');
    takenAt.push(now());
    messages.push({ body: body as TeamsStandInMessage['body'], card });
    return { status: 202 };
  });

  return {
    ...server,
    workflowUrl: `${server.origin}${trigger}?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=${sig}`,
    messages,
    removeWorkflow() {
      isRemoved = true;
    },
    turnOffWorkflow() {
      isTurnedOff = true;
    },
  };
}
