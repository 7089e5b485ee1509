const utf8 = new TextEncoder();

/**
 * Joins `pieces`: to a string if there are at most two, else to a stream that produces each piece when it is read.
 * The first two pieces are produced at once, so that an early failure still gets its status. A later failure breaks the
 * stream off and is passed to `onBroken`. With `isHead` the body is not sent, and only the first piece is produced.
 */
export async function streamOf(
  pieces: AsyncGenerator<string>,
  isHead: boolean,
  onBroken: (error: unknown) => void,
): Promise<string | ReadableStream<Uint8Array>> {
  const first = await pieces.next();
  const second = isHead ? { done: true, value: '' } : await pieces.next();
  const begun = String(first.value ?? '') + String(second.value ?? '');
  if (first.done || second.done) {
    await pieces.return(undefined);
    return begun;
  }
  let next: string | undefined = begun;
  return new ReadableStream({
    async pull(controller) {
      try {
        const piece: IteratorResult<string> = next === undefined ? await pieces.next() : { value: next };
        next = undefined;
        if (piece.done) controller.close();
        else controller.enqueue(utf8.encode(piece.value));
      } catch (error) {
        onBroken(error);
        throw error;
      }
    },
    async cancel() {
      await pieces.return(undefined);
    },
  });
}
