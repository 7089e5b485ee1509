import { describeType, PosthornError } from './errors.js';

/*
 * The grammar of event types and patterns.
 *
 * - An event type is 1 to 6 segments of [A-Za-z0-9_-] joined by dots, at most 128 characters, case-sensitive.
 * - In a pattern, a whole segment may be `*`. Before the end it matches exactly one segment; at the end, one or more.
 * - There is no other wildcard.
 */

const maxLength = 128;
const maxSegments = 6;
const segment = /^[A-Za-z0-9_-]+$/;

/** Returns why `text` is not an event type (or, with `wildcards`, not a pattern). Undefined where it is. */
export function grammarFault(text: unknown, wildcards: boolean): string | undefined {
  if (typeof text !== 'string') return `must be a string, not ${describeType(text)}`;
  if (text.length > maxLength) return `must have at most ${maxLength} characters, not ${text.length}`;
  const segments = text.split('.');
  if (segments.length > maxSegments)
    return `must have at most ${maxSegments} segments, not ${segments.length}`;
  const at = segments.findIndex((part) => !(segment.test(part) || (wildcards && part === '*')));
  if (at < 0) return undefined;
  const allowed = `letters, digits, _ and -${wildcards ? ', or a whole *' : ''}`;
  return `segment ${at + 1} must be ${allowed}${segments[at] === '' ? '; it is empty' : ''}`;
}

/** Returns `type` if it is an event type. Throws `invalid_event_type`. */
export function parseEventType(type: unknown): string {
  const fault = grammarFault(type, false);
  if (fault) throw new PosthornError('invalid_event_type', `event type ${fault}`);
  return type as string;
}

/** Returns `pattern` if it is an event type or a pattern. Throws `invalid_pattern`. */
export function parsePattern(pattern: unknown): string {
  const fault = grammarFault(pattern, true);
  if (fault) throw new PosthornError('invalid_pattern', `pattern ${fault}`);
  return pattern as string;
}

/**
 * Returns every pattern that matches `type`, `type` itself first and `*` last: 2 for one segment, 5 for two, 95 for six. A
 * storage matches by looking these up, so no storage knows the grammar. Throws `invalid_event_type`.
 */
export function matchKeys(type: string): string[] {
  const segments = parseEventType(type).split('.');
  const exactLength: string[] = [];
  const shorter: string[] = [];
  let heads = [''];
  segments.forEach((part, i) => {
    const isLast = i === segments.length - 1;
    // `*` ends the pattern here: it matches this segment and all that follow.
    (isLast ? exactLength : shorter).push(...heads.map((head) => `${head}*`));
    if (isLast) exactLength.unshift(...heads.map((head) => head + part));
    else heads = heads.flatMap((head) => [`${head}${part}.`, `${head}*.`]);
  });
  return [...exactLength, ...shorter.reverse()];
}

/** What {@link matchKeys} returns, for the compiler: the event types, and every pattern that matches at least one of them. */
export type PatternOf<EventType extends string> = EventType extends `${infer Head}.${infer Rest}`
  ? `${Head | '*'}.${PatternOf<Rest>}` | '*'
  : EventType | '*';

/** Whether `pattern` matches `type`: the same answer as a look-up by {@link matchKeys}. Throws `invalid_event_type`. */
export function matches(pattern: string, type: string): boolean {
  return matchKeys(type).includes(pattern);
}
