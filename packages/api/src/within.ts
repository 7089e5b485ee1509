/**
 * Resolves to the value of `promise`, or to `late` after `ms` milliseconds. The promise then continues, and its result
 * is ignored.
 */
export async function within<Value, Late>(
  ms: number,
  promise: Promise<Value> | Value,
  late: Late,
): Promise<Value | Late> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<Late>((resolve) => {
    timer = setTimeout(() => resolve(late), ms);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
