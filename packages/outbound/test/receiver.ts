import {
  type Answer,
  type RawReceiver,
  type RawReceiverOptions,
  rawReceiver,
} from '@posthorn/testing/hostile-receiver';
import { onTestFinished } from 'vitest';

export * from '@posthorn/testing/hostile-receiver';

/** Listens on its own port until the test ends. */
export async function receiver(answer: Answer, options: RawReceiverOptions = {}): Promise<RawReceiver> {
  const listening = await rawReceiver(answer, options);
  onTestFinished(() => listening.close());
  return listening;
}
