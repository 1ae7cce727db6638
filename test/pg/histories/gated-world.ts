/**
 * The fake executor made as strict as a real one, and what really happened in it: a look at an attempt that was never
 * submitted takes its gate, so that it can never begin; an attempt that was forgotten stays forgotten.
 */
import type { Executor, FakeWorld } from "../../../src/executor/index.ts";
import { fakeOutcomes } from "../../../src/executor/index.ts";
import type { Fact } from "./model.ts";

type Named = { readonly stepId: string; readonly attempt: number };
type World = FakeWorld["executions"];
type WorldExecution = World extends Map<string, infer One> ? One : never;

export const keyOf = ({ stepId, attempt }: Named): string => `${stepId}.${attempt}`;

export interface GatedWorld {
  around(executor: Executor): Executor;
  /** What has ended since the last call happened at this moment. */
  note(moment: number): void;
  factOf(key: string): Fact | undefined;
  /** Attempts that have not ended, oldest first. */
  live(): readonly WorldExecution[];
}

export function createGatedWorld(world: FakeWorld): GatedWorld {
  const submitted = new Set<string>();
  /** Ends of which the world keeps no trace, without their moment. */
  const untraced = new Map<string, Omit<Fact, "moment">>();
  const facts = new Map<string, Fact>();

  function takeGate(key: string, handle: WorldExecution["handle"]): WorldExecution["status"] {
    const at = new Date();
    const ended: WorldExecution["status"] = {
      state: "ended",
      outcome: {
        ...fakeOutcomes.lostBeforeBegin,
        endedAt: at,
        logBytes: 0,
        logDropped: 0,
        killedBy: null,
      },
    };
    world.executions.set(key, {
      handle,
      name: key,
      behaviour: {},
      status: ended,
      instance: Symbol("gate"),
      cancels: 0,
      ended: Promise.withResolvers(),
    });
    return ended;
  }

  return {
    around: (executor) => ({
      ...executor,
      async submit(spec) {
        const key = keyOf(spec);
        try {
          await executor.submit(spec);
          submitted.add(key);
        } catch (error) {
          untraced.set(key, { end: "failed", reason: "start_failed", began: false });
          throw error;
        }
      },
      async status(handle) {
        const key = keyOf(handle);
        const status = await executor.status(handle);
        if (status.state !== "unknown") return status;
        if (submitted.has(key)) {
          untraced.set(key, { end: "lost", reason: "executor_lost", began: true });
          return status;
        }
        return world.jobs.has(`${handle.jobId}.${handle.jobAttempt}`) ? takeGate(key, handle) : status;
      },
    }),
    note(moment) {
      for (const [key, { status }] of world.executions)
        if (status.state === "ended" && !facts.has(key)) facts.set(key, { ...endOf(status.outcome), moment });
      for (const [key, end] of untraced) if (!facts.has(key)) facts.set(key, { ...end, moment });
    },
    factOf: (key) => facts.get(key),
    live: () => [...world.executions.values()].filter((it) => it.status.state !== "ended"),
  };
}

type Outcome = Extract<WorldExecution["status"], { state: "ended" }>["outcome"];

function endOf({ began, reason }: Outcome): Omit<Fact, "moment"> {
  if (reason === null) return { end: "succeeded", reason, began };
  if (reason === "canceled") return { end: "canceled", reason, began };
  return { end: reason === "executor_lost" ? "lost" : "failed", reason, began };
}
