/**
 * Resolves as `promise` does, or to the result of `late` after `ms` milliseconds. The promise is ignored from then on.
 */
export async function withinTime<Value>(
  promise: Promise<Value>,
  ms: number,
  late: () => Value | Promise<Value>,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  }).then(late);
  try {
    return await Promise.race([promise, end]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => {});
  }
}
