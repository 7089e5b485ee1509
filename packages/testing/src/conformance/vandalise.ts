/** Changes everything that can be changed, as a careless or hostile holder might. */
export function vandalise(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  if (value instanceof Date) {
    value.setTime(0);
    return;
  }
  for (const [key, part] of Object.entries(value)) {
    vandalise(part);
    Reflect.set(value, key, typeof part === 'string' ? 'vandalised' : null);
  }
  Reflect.set(value, 'added', 'vandalised');
  if (Array.isArray(value) && !Object.isFrozen(value)) value.length = 0;
}
