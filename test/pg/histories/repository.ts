/** The repository of a run that begins unresolved: how it answers, and what must have become of the run's resolution. */
import { Problem } from "../../../src/kernel/index.ts";
import type { OrchestratorDeps } from "../../../src/orchestrator/index.ts";
import type { ResolvedRun, RunRow } from "../../../src/store/index.ts";
import type { Remote } from "./arbitraries.ts";
import type { Resolution } from "./model.ts";

export interface Repository {
  readonly resolver: OrchestratorDeps["resolver"];
  turn(to: Remote): void;
  /** After an action that everybody has heard of; the first thing that decides stands. */
  note(after: "elapse" | "other", cancel: "asked" | "not", recorded: Recorded | null): void;
  readonly resolution: Resolution;
}

type Recorded = Pick<RunRow, "config_digest" | "failure_reason">;

export function createRepository(begins: "resolved" | Remote, found: ResolvedRun): Repository {
  let remote: Remote = begins === "resolved" ? "found" : begins;
  let resolution: Resolution = begins === "resolved" ? "resolved" : "pending";
  /** Since the last look: whoever asked in between may have recorded any of these. */
  let seen = new Set([remote]);
  let turned = Promise.withResolvers<void>();

  async function answer(signal: AbortSignal): Promise<ResolvedRun> {
    while (remote === "silent") {
      const aborted = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => aborted.resolve(), { once: true });
      await Promise.race([turned.promise, aborted.promise]);
      signal.throwIfAborted();
    }
    if (remote === "away") throw new Problem("source_unavailable", "no route to the host");
    if (remote === "broken") throw new Problem("config_invalid", "there is nothing to run");
    return found;
  }

  return {
    resolver: { resolve: (_run, signal) => answer(signal) },
    turn(to) {
      remote = to;
      seen.add(to);
      turned.resolve();
      turned = Promise.withResolvers();
    },
    note(after, cancel, recorded) {
      const raced = seen;
      seen = new Set([remote]);
      if (resolution !== "pending") return;
      const isResolved = (recorded?.config_digest ?? null) !== null;
      // A request to cancel races with what is being found; afterwards there is no race any more.
      if (raced.has("found") && isResolved) resolution = "resolved";
      else if (raced.has("broken") && recorded?.failure_reason === "config_invalid")
        resolution = "config_invalid";
      else if (cancel === "asked") resolution = "canceled";
      else if (remote === "found") resolution = "resolved";
      else if (remote === "broken") resolution = "config_invalid";
      else if (after === "elapse") resolution = "source_unavailable";
    },
    get resolution() {
      return resolution;
    },
  };
}
