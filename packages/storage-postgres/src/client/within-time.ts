/** What `promise` resolves to; after `ms` milliseconds what `late` makes of it, and nobody hears of the promise any more. */
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
