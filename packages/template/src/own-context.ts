import { Context, Drop, type Liquid, toValue } from 'liquidjs';
import { renderTime } from './render-time.js';
import { Rendered } from './shown.js';
import { WrittenNumber } from './written-number.js';

/** Properties that Liquid defines for any array, string or object. */
const special: ReadonlySet<unknown> = new Set(['size', 'first', 'last']);

const ofLoops: ReadonlySet<unknown> = new Set(
  'name length index index0 rindex rindex0 first last row col col0 col_first col_last'.split(' '),
);

/** A context that exposes only own enumerable properties of values. `length` is not one. */
export class OwnContext extends Context {
  constructor(scope: object, engine: Liquid, limits?: Pick<Context, 'memoryLimit' | 'renderLimit'>) {
    const { renderLimit = renderTime() } = limits ?? {};
    super(scope, engine.options, { sync: true }, { liquid: engine, ...limits, renderLimit });
  }

  /** Checks the time limit, because every expression reads a value, and counts long paths against the memory limit. */
  override _getFromScope(...[scope, path, isStrict]: Parameters<Context['_getFromScope']>) {
    this.renderLimit.check(performance.now());
    this.memoryLimit.use(path.length);
    return super._getFromScope(scope, path, isStrict);
  }

  override readProperty(object: object | null | undefined, key: PropertyKey | Drop): unknown {
    const owner = object instanceof Rendered ? object.valueOf() : object;
    const name: unknown = toValue(key);
    if (owner === null || owner === undefined || owner instanceof WrittenNumber) return undefined;
    if (owner instanceof Drop)
      return ofLoops.has(name) ? super.readProperty(owner, name as string) : undefined;
    if ((typeof name !== 'string' && typeof name !== 'number') || name === '__proto__') return undefined;
    if (Array.isArray(owner) && typeof name === 'number') return owner.at(name);
    if (Object.prototype.propertyIsEnumerable.call(owner, name))
      return (owner as Record<string, unknown>)[name];
    return special.has(name) ? super.readProperty(owner as object, name) : undefined;
  }

  /** Used by filters to read properties of array items. */
  override spawn(scope: object = {}): OwnContext {
    return new OwnContext(scope, this.liquid, this);
  }
}
