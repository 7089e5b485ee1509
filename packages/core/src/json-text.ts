import { types } from 'node:util';
import { describeIssues, isPosthornError, kindOf, PosthornError } from './errors.js';
import { isRawJson } from './raw-json.js';

/*
 * JSON.stringify writes a Map as {}, NaN as null, and leaves out a function: what the application meant is lost, and
 * nobody hears of it. Here such values are refused. What everybody means stays: a Date is its ISO text, an object with
 * toJSON is what that returns, a boxed value is the value, a field that is undefined is left out, and an object of a
 * class is its own enumerable fields.
 */

/** Deeper values are not copied; JSON.stringify goes on with them, and says where the stack ends. */
const maxCopiedDepth = 200;

interface Reading {
  /** Each object or array takes two bytes of JSON at least: more than these cannot fit. */
  left: number;
  /** Whether JSON.stringify is known to lose nothing of it. */
  isPlain: boolean;
  /** Whether it leads back to itself: then nothing will be written, and the copy would hide where. */
  isCircle: boolean;
  /** The objects that lead to the present one. */
  readonly path: object[];
}

/**
 * The JSON text of `value`. Reads each field once. Throws `invalid_payload` with the place of what would be lost, and for
 * a circle, a BigInt or a `toJSON` that throws; `payload_too_large` where the text cannot fit into `maxBytes` or a string;
 * `payload_too_deep` where the stack is not deep enough. `what` names the value in messages.
 */
export function jsonText(value: unknown, maxBytes: number, what: string): string {
  const reading: Reading = { left: maxBytes / 2, isPlain: true, isCircle: false, path: [] };
  let text: string | undefined;
  try {
    // What has one form only is copied without being asked about: a replacer would make each dispatch slower.
    const copy = copied(value, reading);
    if (reading.left < 0) throw tooLarge(what);
    text = reading.isPlain
      ? JSON.stringify(copy)
      : JSON.stringify(reading.isCircle ? value : copy, judge(what));
  } catch (cause) {
    if (isPosthornError(cause)) throw cause;
    if (cause instanceof RangeError) {
      // V8 gives up on recursion with "Maximum call stack", on size with "Invalid string length".
      if (cause.message.includes('stack')) {
        throw new PosthornError('payload_too_deep', `${what} nests objects and arrays too deep`, { cause });
      }
      throw tooLarge(what, cause);
    }
    throw new PosthornError('invalid_payload', `${what} cannot be written as JSON: reading it threw`, {
      cause,
    });
  }
  if (text === undefined) {
    throw new PosthornError('invalid_payload', `${what} must have a JSON form; ${kindOf(value)} has none`);
  }
  return text;
}

const tooLarge = (what: string, cause?: unknown): PosthornError =>
  new PosthornError('payload_too_large', `${what} is larger than it may be`, { cause });

/** A copy of plain objects and arrays, so that the application's getters are asked once; the rest is left as it is. */
function copied(value: unknown, reading: Reading): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (!Number.isFinite(value)) reading.isPlain = false;
      return value;
    case 'object':
      return value === null ? null : copiedObject(value, reading);
    default:
      reading.isPlain = false;
      return value;
  }
}

function copiedObject(value: object, reading: Reading): unknown {
  const { path } = reading;
  const isCircle = path.includes(value);
  if (--reading.left < 0 || isCircle || path.length >= maxCopiedDepth || !isCopied(value)) {
    reading.isPlain = false;
    reading.isCircle ||= isCircle;
    return value;
  }
  path.push(value);
  let copy: unknown[] | Record<string, unknown>;
  if (Array.isArray(value)) {
    copy = value.slice();
    for (let i = 0; i < copy.length; i++) copy[i] = copied(copy[i], reading);
  } else {
    copy = { ...value } as Record<string, unknown>;
    for (const key in copy) {
      const field = copy[key];
      // Undefined is left out, which is what everybody means.
      if (field === undefined) continue;
      const read = copied(field, reading);
      if (read !== field) copy[key] = read;
    }
  }
  path.pop();
  return copy;
}

/** Whether it is an object or array as a literal makes it. A name that sets the prototype cannot be copied by assignment. */
function isCopied(value: object): boolean {
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return false;
  const prototype = Object.getPrototypeOf(value);
  if (Array.isArray(value)) return prototype === Array.prototype;
  return (prototype === Object.prototype || prototype === null) && !Object.hasOwn(value, '__proto__');
}

/** A replacer that throws where a value would be lost, and names the place. */
function judge(what: string): (this: unknown, key: string, value: unknown) => unknown {
  /** The objects that are being written, outermost first, and under which names. */
  const holders: unknown[] = [];
  const names: (string | number)[] = [];
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
