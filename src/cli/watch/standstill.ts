/** Says why a followed run stands still, once for each cause: a wait of which nobody is told looks like a hang. */
import { isFinalRun } from "../../domain/index.ts";
import { type Clock, createLoop } from "../../kernel/index.ts";
import type { Client, RunCause } from "../../services/index.ts";
import type { RunModel } from "./run-model.ts";

/** What goes on sooner is not worth a word. */
const LOOK_MS = 2_000;

export interface StandstillOptions {
  readonly client: Pick<Client, "why">;
  readonly clock: Clock;
  readonly say: (sentence: string) => void;
}

export interface Standstill extends AsyncDisposable {
  /** `model` is live: it is looked at from then on. */
  changed(model: RunModel): void;
}

export function watchStandstill({ client, clock, say }: StandstillOptions): Standstill {
  const told = new Set<string>();
  // An answer that is on its way does not hold the end up.
  const over = Promise.withResolvers<null>();
  let model: RunModel | null = null;
  const loop = createLoop({
    clock,
    everyMs: LOOK_MS,
    // Who follows the run hears of the same trouble, and tells it once.
    onError: () => undefined,
    async runOnce(signal) {
      if (model === null || isFinalRun(model.run.status) || isUnderWay(model)) return;
      const answer = await Promise.race([client.why(model.run.id), over.promise]);
      if (answer === null || signal.aborted || isUnderWay(model)) return;
      for (const { code, message } of answer.causes) {
        if (!isWait(code) || told.has(code)) continue;
        told.add(code);
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
      over.resolve(null);
      await loop.stop();
    },
  };
}

const isUnderWay = ({ steps }: RunModel): boolean =>
  steps.some(({ step }) => step.executions.some(({ status }) => status === "running"));

const isWait = (code: RunCause["code"]): boolean => code.startsWith("waiting_") || code.startsWith("owner_");
