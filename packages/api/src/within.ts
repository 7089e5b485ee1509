/** What `promise` comes to, or `late` where that takes longer than `ms` milliseconds; it goes on then, unheard. */
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
