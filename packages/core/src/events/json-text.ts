import { types } from 'node:util';
import { describeIssues, isPosthornError, kindOf, PosthornError } from '../errors.js';
import { isDeeperThan } from './json-depth.js';
import { isRawJson } from './raw-json.js';

/*
 * JSON.stringify writes a Map as {}, NaN as null, and leaves out a function: what the application meant is lost, and
 * nobody hears of it. Here such values are refused. What everybody means stays: a Date is its ISO text, an object with
 * toJSON is what that returns, a boxed value is the value, a field that is undefined is left out, and an object of a
 * class is its own enumerable fields.
 */

export interface PayloadLimits {
  /** Bytes of UTF-8. */
  readonly maxBytes: number;
  /** Objects and arrays within each other. */
  readonly maxDepth: number;
}

/** What is known of a value while it is copied. */
interface Reading {
  /** Each object or array takes two bytes of JSON at least: more than these cannot fit. */
  left: number;
  readonly maxDepth: number;
  /** Whether JSON.stringify is known to lose nothing of it. */
  isPlain: boolean;
  /** Whether the copy goes all the way down. A circle has no end. */
  isWhole: boolean;
}

/**
 * The JSON text of `value`. Reads each field once. Throws `invalid_payload` with the place of what would be lost, and for
 * a circle, a BigInt or a `toJSON` that throws; `payload_too_deep`; and `payload_too_large` where there are more objects than fit, or
 * more than a string holds: the text itself may still be too long. `what` names the value in messages.
 */
export function jsonText(value: unknown, limits: PayloadLimits, what: string): string {
  const maxObjects = limits.maxBytes / 2;
  const { maxDepth } = limits;
  const reading: Reading = { left: maxObjects, maxDepth, isPlain: true, isWhole: true };
  let text: string | undefined;
  try {
    // What has one form only is copied without being asked about: a replacer would make each dispatch slower.
    const copy = isObject(value) ? copied(value, 1, reading) : value;
    if (isObject(value) && reading.isPlain) return JSON.stringify(copy);
    text = JSON.stringify(reading.isWhole ? copy : value, judge(maxObjects, what));
  } catch (cause) {
    if (isPosthornError(cause)) throw cause;
    // V8 gives up on recursion with "Maximum call stack", on size with "Invalid string length".
    if (cause instanceof RangeError) {
      throw cause.message.includes('stack') ? tooDeep(limits, what, cause) : tooLarge(what, cause);
    }
    throw new PosthornError('invalid_payload', `${what} cannot be written as JSON: reading it threw`, {
      cause,
    });
  }
  if (text === undefined) {
    throw new PosthornError('invalid_payload', `${what} must have a JSON form; ${kindOf(value)} has none`);
  }
  if (isDeeperThan(text, maxDepth)) throw tooDeep(limits, what);
  return text;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const tooLarge = (what: string, cause?: unknown): PosthornError =>
  new PosthornError('payload_too_large', `${what} is larger than it may be`, { cause });

/** That `what` nests deeper than it may. */
export const tooDeep = ({ maxDepth }: PayloadLimits, what: string, cause?: unknown): PosthornError =>
  new PosthornError(
    'payload_too_deep',
    `${what} nests objects and arrays too deep; at most ${maxDepth} levels`,
    {
      cause,
    },
  );

/** A copy of plain objects and arrays, so that the application's getters are asked once; the rest is left as it is. */
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
      // Assigned, this name would set the prototype.
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

/** Whether a value that is no object may have to be refused. Undefined as a field is left out, which is what everybody means. */
function isOdd(value: unknown): boolean {
  const type = typeof value;
  // Of NaN and of both infinities this is NaN.
  if (type === 'number') return (value as number) - (value as number) !== 0;
  return type === 'function' || type === 'symbol' || type === 'bigint';
}

/** A replacer that throws where a value would be lost, and names the place. */
function judge(maxObjects: number, what: string): (this: unknown, key: string, value: unknown) => unknown {
  /** The objects that are being written, outermost first, and under which names. */
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

/** What is wrong with a value below the root, in words. */
function faultAt(
  holder: unknown,
  key: string,
  value: unknown,
  holders: readonly unknown[],
): string | undefined {
  if (value === undefined) {
    return Array.isArray(holder) ? 'must not be undefined in an array: JSON would say null' : undefined;
  }
  if (value === null && types.isDate((holder as Record<string, unknown>)[key])) return 'must be a valid Date';
  if (holders.includes(value)) return 'must not lead back to an object that holds it: that is a circle';
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
  if (isRawJson(value)) return 'must not be rawJson, which stands for a whole payload';
  if (Array.isArray(value)) return undefined;
  const prototype = Object.getPrototypeOf(value);
  // Also the plain objects of another realm, as some test runners have.
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

/** What kind of object it is; its class may have any name. */
function nameOf(value: object): string {
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && /^[A-Za-z_$][\w$]{0,63}$/.test(name) ? `a ${name}` : 'such an object';
}
