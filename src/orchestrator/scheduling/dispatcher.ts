/**
 * Claims executions that wait for a slot. The database keeps their order (the oldest first, over all runs); the queue here
 * only keeps what is needed to start them. An execution enters the queue before the commit that creates it, so that a
 * claim that overtakes the commit's reply finds it.
 */
import { createLoop, type ExecutionId, errorMessage } from "../../kernel/index.ts";
import type { OrchestratorDeps, Subject } from "../types.ts";
import { createSlots } from "./slots.ts";

export interface Dispatcher {
  /** Begins to give slots: attempts that an earlier process left running occupy theirs first. */
  start(): void;
  stop(): Promise<void>;
  /** Returns the reason why nothing may be started now, or null. Never throws. */
  unavailableReason(): Promise<string | null>;
  /** Acquires slots for executions that are about to be created: the first that fit; none while others wait already. */
  acquire(fresh: readonly ExecutionId[]): readonly ExecutionId[];
  occupy(id: ExecutionId): void;
  release(id: ExecutionId): void;
  /** Acquires a slot for an execution that released its own; false: none is free, and `free` is called when it has one. */
  reacquire(id: ExecutionId, free: () => void): boolean;
  enqueue(subject: Subject): void;
  /** Removes the execution from the queue; undefined: it is not there. */
  dequeue(id: ExecutionId): Subject | undefined;
  /** Claims waiting executions when slots are free, also those that a running claim has reserved and may return. */
  wake(): void;
}

const retryMs = 15_000;
/** Maximum number of executions of one claim. */
const maxClaimed = 1_000;

export function createDispatcher(deps: OrchestratorDeps, begin: (subject: Subject) => void): Dispatcher {
  const { store, owner, log } = deps;
  const slots = createSlots(deps.slots);
  const queue = new Map<ExecutionId, Subject>();
  const returning = new Map<ExecutionId, () => void>();
  let isStarted = false;
  const loop = createLoop({
    clock: deps.clock,
    everyMs: retryMs,
    onError: (error) => log.error({ error: errorMessage(error) }, "A claim failed and is retried."),
    runOnce: claim,
  });

  async function claim(): Promise<void> {
    if (queue.size === 0 || slots.free === 0) return;
    const why = await dispatcher.unavailableReason();
    if (why !== null) return log.warn({ reason: why }, "Nothing is claimed for now.");
    const reserved = slots.reserve(Math.min(queue.size, maxClaimed));
    if (reserved === 0) return;
    let claimed: readonly ExecutionId[];
    try {
      claimed = await store.executions.claim(owner, reserved);
    } finally {
      slots.unreserve(reserved);
    }
    for (const id of claimed) {
      // An execution outside the queue is tracked already, or the next reconcile of its run finds it claimed.
      const subject = dispatcher.dequeue(id);
      if (subject === undefined) continue;
      slots.occupy(id);
      begin(subject);
    }
  }

  const dispatcher: Dispatcher = {
    start() {
      isStarted = true;
      loop.start();
      dispatcher.wake();
    },
    stop: () => loop.stop(),
    async unavailableReason() {
      try {
        return await deps.executor.unavailableReason();
      } catch (error) {
        log.error(
          { error: errorMessage(error) },
          "The executor could not say whether it takes more executions.",
        );
        return errorMessage(error);
      }
    },
    acquire: (fresh) => (isStarted && queue.size === 0 ? slots.acquire(fresh) : []),
    occupy: (id) => slots.occupy(id),
    reacquire(id, free) {
      const occupied = slots.has(id) || slots.acquire([id]).length > 0;
      if (!occupied) returning.set(id, free);
      return occupied;
    },
    release(id) {
      slots.release(id);
      returning.delete(id);
      for (const [other, free] of returning) {
        if (slots.acquire([other]).length === 0) break;
        returning.delete(other);
        free();
      }
      dispatcher.wake();
    },
    enqueue: (subject) => void queue.set(subject.execution.id, subject),
    dequeue(id) {
      const subject = queue.get(id);
      queue.delete(id);
      return subject;
    },
    wake() {
      if (queue.size > 0) loop.wake();
    },
  };
  return dispatcher;
}
