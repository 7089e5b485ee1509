const utf8 = new TextEncoder();

/**
 * The text that `pieces` make: in one where there are two pieces at most, else as a stream that makes each when it is read.
 * The first two are made at once, so that what fails early has its status. What fails later breaks the stream off, and is
 * told to `onBroken`. With `isHead` nobody reads it, and no more is made than shows whether it can be.
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
