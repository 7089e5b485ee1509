import type { ClaimBuffer } from './claim-buffer.js';
import type { HeldClaim } from './claim-counts.js';
import type { Execution, ExecutionListener, Executor } from './executor.js';

export interface InFlightOptions {
  readonly executor: Executor;
  readonly buffer: ClaimBuffer;
  /** Called when a slot has become free. */
  readonly onFree: () => void;
  /** Called when a claim is no longer held. `mayUnblockOther`: a claim may now find what it did not before. */
  readonly onSettled: (held: HeldClaim, mayUnblockOther: boolean) => void;
}

/** The deliveries in flight: begun, sent, or their results being written. */
export class InFlight {
  readonly #options: InFlightOptions;
  /**
   * In any order. An array rather than a Map: a Map to which much is added and from which much is removed replaces its
   * table again and again, and each old table keeps the next one and its contents alive until a full collection. That was
   * half of the cost of garbage collection.
   */
  readonly #executions: Execution[] = [];
  #isStarting = false;
  /** A delivery that is sent takes a slot until its receiver has answered, and is held until its result is written. */
  readonly #sent: ExecutionListener = {
    onAnswered: ({ held }) => {
      this.#options.buffer.freeSlot(held);
      this.#options.onFree();
    },
    onSettled: (execution) => this.#settled(execution, this.#options.buffer.remove(execution.held)),
  };
  readonly #released: ExecutionListener = {
    onAnswered: () => {},
    onSettled: (execution) => this.#settled(execution, false),
  };

  constructor(options: InFlightOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#executions.length;
  }

  get held(): readonly HeldClaim[] {
    return this.#executions.map(({ held }) => held);
  }

  /** Sends what is buffered, up to the concurrency. */
  start(): void {
    // An execution that sends nothing is answered within its start, which frees a slot and leads back here.
    if (this.#isStarting) return;
    this.#isStarting = true;
    const { buffer, executor } = this.#options;
    for (let held = buffer.next(); held; held = buffer.next()) {
      this.#add(executor.run(held, this.#sent));
    }
    this.#isStarting = false;
  }

  /** Gives back a claim that was never sent and takes no slot. */
  release(held: HeldClaim): void {
    this.#add(this.#options.executor.release(held, this.#released));
  }

  /** Aborts the execution of this claim. False where there is none. */
  abort(held: HeldClaim, why: 'released' | 'lost'): boolean {
    const execution = this.#executions.find((each) => each.held === held);
    execution?.abort(why);
    return execution !== undefined;
  }

  abortAll(): void {
    for (const execution of [...this.#executions]) execution.abort('released');
  }

  /** Whether a result is being written on a lease that is over: a claim would take that delivery away. */
  hasOverdue(now: number): boolean {
    return this.#executions.some(({ isAnswered, held }) => isAnswered && held.heldUntil <= now);
  }

  #add(execution: Execution): void {
    execution.index = this.#executions.push(execution) - 1;
    execution.start();
  }

  #settled(execution: Execution, mayFreeCapacity: boolean): void {
    const { held, index } = execution;
    const last = this.#executions.pop()!;
    if (last !== execution) {
      last.index = index;
      this.#executions[index] = last;
    }
    // A claim may now find more of its webhook, or the next delivery with its ordering key.
    this.#options.onSettled(held, mayFreeCapacity || held.claim.event.orderingKey !== null);
  }
}
