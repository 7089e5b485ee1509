/**
 * Settles as `promise` does. After `ms` milliseconds it settles as `onLate` does instead, and the promise is ignored. The
 * timer keeps the process alive until then, and no longer.
 */
export async function withDeadline<Value, Late>(
  promise: PromiseLike<Value> | Value,
  ms: number,
  onLate: () => PromiseLike<Late> | Late,
): Promise<Value | Late> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  }).then(onLate);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
