/** Freezes `value` deeply. It must be data: a tree of objects and arrays. */
export function deeplyFrozen<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) {
    for (const item of Object.values(value)) deeplyFrozen(item);
    Object.freeze(value);
  }
  return value;
}
