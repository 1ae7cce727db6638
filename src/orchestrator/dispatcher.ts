/**
 * Who waits for a slot, and the claim that ends the waiting. Waiting is in the database (the longest waits first, over
 * all runs); what is kept here is only how to start what this process has claimed. An execution enters the queue before
 * the commit that makes it, so that a claim which is quicker than that commit's answer finds it.
 */
import { createLoop, type ExecutionId, errorMessage } from "../kernel/index.ts";
import { createSlots } from "./slots.ts";
import type { OrchestratorDeps, Subject } from "./types.ts";

export interface Dispatcher {
  /** Nothing is given a slot before: attempts that an earlier process left running occupy theirs first. */
  start(): void;
  stop(): Promise<void>;
  /** Why nothing may be started now, or null. Never throws. */
  refusal(): Promise<string | null>;
  /** Slots for executions that are about to be made: the first that fit; none while others wait already. */
  take(fresh: readonly ExecutionId[]): readonly ExecutionId[];
  hold(id: ExecutionId): void;
  give(id: ExecutionId): void;
  /** A slot again for one that gave its own back; false: none is free, and `free` is called when it has one. */
  reoccupy(id: ExecutionId, free: () => void): boolean;
  enqueue(subject: Subject): void;
  /** Takes it out of the queue; undefined when it is not there (any more). */
  dequeue(id: ExecutionId): Subject | undefined;
  /** Claims what waits, when there are slots: also those that a claim under way has set aside and may give back. */
  wake(): void;
}

const retryMs = 15_000;
/** The most that one claim takes. */
const batch = 1_000;

export function createDispatcher(deps: OrchestratorDeps, begin: (subject: Subject) => void): Dispatcher {
  const { store, owner, log } = deps;
  const slots = createSlots(deps.slots);
  const queue = new Map<ExecutionId, Subject>();
  const returning = new Map<ExecutionId, () => void>();
  let isStarted = false;
  const loop = createLoop({
    clock: deps.clock,
    everyMs: retryMs,
    onError: (error) =>
      log.error({ error: errorMessage(error) }, "claiming failed; the next pass tries again"),
    runOnce: claim,
  });

  async function claim(): Promise<void> {
    if (queue.size === 0 || slots.free === 0) return;
    const why = await dispatcher.refusal();
    if (why !== null) return log.warn({ reason: why }, "nothing is claimed for now");
    const reserved = slots.reserve(Math.min(queue.size, batch));
    if (reserved === 0) return;
    let claimed: readonly ExecutionId[];
    try {
      claimed = await store.executions.claim(owner, reserved);
    } finally {
      slots.unreserve(reserved);
    }
    for (const id of claimed) {
      // What is not in the queue was taken into care meanwhile, or is found claimed by its run's next advance.
      const subject = dispatcher.dequeue(id);
      if (subject === undefined) continue;
      slots.hold(id);
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
    async refusal() {
      try {
        return await deps.executor.refusal();
      } catch (error) {
        log.error({ error: errorMessage(error) }, "the executor could not say whether it takes more");
        return errorMessage(error);
      }
    },
    take: (fresh) => (isStarted && queue.size === 0 ? slots.take(fresh) : []),
    hold: (id) => slots.hold(id),
    reoccupy(id, free) {
      const occupied = slots.has(id) || slots.take([id]).length > 0;
      if (!occupied) returning.set(id, free);
      return occupied;
    },
    give(id) {
      slots.give(id);
      returning.delete(id);
      for (const [other, free] of returning) {
        if (slots.take([other]).length === 0) break;
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
