/** Reports why a followed run waits, once per reason, because an unexplained wait looks like a hang. */
import { isFinalRun } from "../../domain/index.ts";
import { type Clock, createLoop } from "../../kernel/index.ts";
import type { Client, RunCause } from "../../services/index.ts";
import type { RunModel } from "./run-model.ts";

/** Interval of the checks. Shorter waits are not reported. */
const CHECK_MS = 2_000;

export interface WaitReasonOptions {
  readonly client: Pick<Client, "why">;
  readonly clock: Clock;
  readonly report: (sentence: string) => void;
}

export interface WaitReasonReporter extends AsyncDisposable {
  /** Sets the live model that is checked. */
  changed(model: RunModel): void;
}

export function reportWaitReasons({ client, clock, report: say }: WaitReasonOptions): WaitReasonReporter {
  const reported = new Set<string>();
  // A pending request does not delay the end.
  const stopped = Promise.withResolvers<null>();
  let model: RunModel | null = null;
  const loop = createLoop({
    clock,
    everyMs: CHECK_MS,
    // The follower of the run reports the same error.
    onError: () => undefined,
    async runOnce(signal) {
      if (model === null || isFinalRun(model.run.status) || isExecuting(model)) return;
      const answer = await Promise.race([client.why(model.run.id), stopped.promise]);
      if (answer === null || signal.aborted || isExecuting(model)) return;
      for (const { code, message } of answer.causes) {
        if (!isWait(code) || reported.has(code)) continue;
        reported.add(code);
        say(message);
      }
    },
  });
  loop.start();
  return {
    changed(current) {
      model = current;
    },
    async [Symbol.asyncDispose]() {
      stopped.resolve(null);
      await loop.stop();
    },
  };
}

const isExecuting = ({ steps }: RunModel): boolean =>
  steps.some(({ step }) => step.executions.some(({ status }) => status === "running"));

const isWait = (code: RunCause["code"]): boolean => code.startsWith("waiting_") || code.startsWith("owner_");
