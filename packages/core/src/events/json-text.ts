import { types } from 'node:util';
import { describeIssues, describeType, isPosthornError, PosthornError } from '../errors.js';
import { isDeeperThan } from './json-depth.js';
import { isRawJson } from './raw-json.js';

/*
 * JSON.stringify loses values without an error: it writes a Map as {}, NaN as null, and leaves out functions. Such values are
 * refused here. These are written as JSON.stringify does:
 *
 * - a Date: its ISO text;
 * - an object with toJSON: the value that it returns;
 * - a boxed primitive: the primitive;
 * - a field that is undefined: left out;
 * - an instance of a class: its own enumerable fields.
 */

export interface PayloadLimits {
  /** In bytes of UTF-8. */
  readonly maxBytes: number;
  /** How deep objects and arrays may nest. */
  readonly maxDepth: number;
}

/** The state of copying a value. */
interface Reading {
  /** How many more objects and arrays fit: each takes at least two bytes of JSON. */
  left: number;
  readonly maxDepth: number;
  /** Whether JSON.stringify is known to lose nothing of the value. */
  isPlain: boolean;
  /** Whether the copy is complete. A circular value cannot be copied. */
  isWhole: boolean;
}

/**
 * Writes `value` as JSON text. Reads each field once. `what` names the value in messages. The text may still exceed
 * `maxBytes`. Throws:
 *
 * - `invalid_payload`, with the place, for a value that JSON would lose, a circular reference, a BigInt, or a `toJSON` that
 *   throws;
 * - `payload_too_deep`;
 * - `payload_too_large` for more objects than can fit, or more text than a string can hold.
 */
export function jsonText(value: unknown, limits: PayloadLimits, what: string): string {
  const maxObjects = limits.maxBytes / 2;
  const { maxDepth } = limits;
  const reading: Reading = { left: maxObjects, maxDepth, isPlain: true, isWhole: true };
  let text: string | undefined;
  try {
    // Plain values are copied and written without a replacer, which would slow down every dispatch.
    const copy = isObject(value) ? copied(value, 1, reading) : value;
    if (isObject(value) && reading.isPlain) return JSON.stringify(copy);
    text = JSON.stringify(reading.isWhole ? copy : value, judge(maxObjects, what));
  } catch (cause) {
    if (isPosthornError(cause)) throw cause;
    // V8 throws "Maximum call stack" for recursion, and "Invalid string length" for size.
    if (cause instanceof RangeError) {
      throw cause.message.includes('stack') ? tooDeep(limits, what, cause) : tooLarge(what, cause);
    }
    throw new PosthornError('invalid_payload', `${what} cannot be written as JSON: reading it threw`, {
      cause,
    });
  }
  if (text === undefined) {
    throw new PosthornError(
      'invalid_payload',
      `${what} must have a JSON form, which ${describeType(value)} has not`,
    );
  }
  if (isDeeperThan(text, maxDepth)) throw tooDeep(limits, what);
  return text;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const tooLarge = (what: string, cause?: unknown): PosthornError =>
  new PosthornError('payload_too_large', `${what} exceeds the size limit`, { cause });

/** Creates the error for a value that nests too deep. */
export const tooDeep = ({ maxDepth }: PayloadLimits, what: string, cause?: unknown): PosthornError =>
  new PosthornError(
    'payload_too_deep',
    `${what} must nest at most ${maxDepth} levels of objects and arrays`,
    {
      cause,
    },
  );

/** Copies plain objects and arrays, so that getters are read once. Other values are kept as they are. */
function copied(value: object, depth: number, reading: Reading): unknown {
  if (--reading.left < 0 || depth > reading.maxDepth) {
    reading.isPlain = reading.isWhole = false;
    return value;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Array.prototype && Array.isArray(value)) {
    if ('toJSON' in value) return notPlain(value, reading);
    const copy: unknown[] = value.slice();
    for (let i = 0; i < copy.length; i++) {
      const item = copy[i];
      if (isObject(item)) copy[i] = copied(item, depth + 1, reading);
      else if (item === undefined || isOdd(item)) reading.isPlain = false;
    }
    return copy;
  }
  if ((prototype === Object.prototype || prototype === null) && !('toJSON' in value)) {
    const copy = { ...value } as Record<string, unknown>;
    for (const key in copy) {
      const field = copy[key];
      if (!isObject(field)) {
        if (isOdd(field)) reading.isPlain = false;
      } else if (key !== '__proto__') copy[key] = copied(field, depth + 1, reading);
      // An assignment would set the prototype.
      else Object.defineProperty(copy, key, { value: copied(field, depth + 1, reading), enumerable: true });
    }
    return copy;
  }
  if (prototype === Date.prototype && Number.isFinite((value as Date).getTime()))
    return (value as Date).toJSON();
  return notPlain(value, reading);
}

function notPlain(value: object, reading: Reading): object {
  reading.isPlain = false;
  return value;
}

/** Whether a primitive may have to be refused. An undefined field may not: it is left out. */
function isOdd(value: unknown): boolean {
  const type = typeof value;
  // NaN for NaN and for both infinities.
  if (type === 'number') return (value as number) - (value as number) !== 0;
  return type === 'function' || type === 'symbol' || type === 'bigint';
}

/** Creates a replacer that throws, with the place, where a value would be lost. */
function judge(maxObjects: number, what: string): (this: unknown, key: string, value: unknown) => unknown {
  /** The objects that are being written, outermost first, and their names. */
  const holders: unknown[] = [];
  const names: (string | number)[] = [];
  let left = maxObjects;
  return function (key, value) {
    while (holders.length > 0 && holders.at(-1) !== this) {
      holders.pop();
      names.pop();
    }
    const isRoot = holders.length === 0;
    const name = Array.isArray(this) ? Number(key) : key;
    const fault = isRoot ? faultOf(value) : faultAt(this, key, value, holders);
    if (fault) {
      const issues = [{ path: isRoot ? [] : [...names.slice(1), name], message: fault }];
      throw new PosthornError('invalid_payload', `${what} is not valid: ${describeIssues(issues)}`, {
        issues,
      });
    }
    if (typeof value === 'object' && value !== null) {
      if (--left < 0) throw tooLarge(what);
      holders.push(value);
      names.push(name);
    }
    return value;
  };
}

/** Returns what is wrong with a value below the root. */
function faultAt(
  holder: unknown,
  key: string,
  value: unknown,
  holders: readonly unknown[],
): string | undefined {
  if (value === undefined) {
    return Array.isArray(holder) ? 'must not be undefined in an array: JSON would write null' : undefined;
  }
  if (value === null && types.isDate((holder as Record<string, unknown>)[key])) return 'must be a valid Date';
  if (holders.includes(value)) return 'must not refer to an object that contains it: that is circular';
  return faultOf(value);
}

function faultOf(value: unknown): string | undefined {
  if (types.isBoxedPrimitive(value)) return faultOf(value.valueOf());
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? undefined : `must be a finite number, not ${value}`;
    case 'bigint':
      return 'must not be a BigInt: give a string, or a number where it is safe';
    case 'function':
    case 'symbol':
      return `must not be a ${typeof value}: it has no JSON form`;
    case 'object':
      return value === null ? undefined : faultOfObject(value);
    default:
      return undefined;
  }
}

function faultOfObject(value: object): string | undefined {
  if (isRawJson(value)) return 'must not be rawJson: it can only be a whole payload';
  if (Array.isArray(value)) return undefined;
  const prototype = Object.getPrototypeOf(value);
  // Covers plain objects of another realm, which some test runners use.
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return undefined;
  const isLost =
    types.isMap(value) ||
    types.isSet(value) ||
    types.isNativeError(value) ||
    value instanceof Error ||
    ArrayBuffer.isView(value) ||
    Object.keys(value).length === 0;
  if (!isLost) return undefined;
  return `must not be ${nameOf(value)}, which JSON cannot hold: give a plain object, an array or text, or a toJSON method`;
}

/** Names the class of an object where that is a plain name. */
function nameOf(value: object): string {
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && /^[A-Za-z_$][\w$]{0,63}$/.test(name)
    ? `a ${name}`
    : 'an object of this class';
}
