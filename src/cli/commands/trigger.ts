/** `shipinator trigger PIPELINE`: a run on the server; with `--follow` shown to its end. */
import { Problem } from "../../kernel/index.ts";
import type { CommandContext } from "../context.ts";
import { type Show, withAccepted } from "./accepted-run.ts";
import { parseStages } from "./run.ts";

export interface TriggerArguments {
  readonly pipeline: string;
  readonly ref: string | null;
  readonly sha: string | null;
  /** As written: `build,test`. */
  readonly only: string | null;
  readonly show: Show;
}

export async function triggerCommand(context: CommandContext, args: TriggerArguments): Promise<number> {
  const { pipeline, ref, sha, show } = args;
  const only = args.only === null ? null : parseStages([args.only]);
  return await withAccepted(context, show, async ({ client, place }, signal) => {
    // A command's own process cannot carry a run that it does not wait for.
    if (place === "here")
      throw new Problem("usage", "no server is known that could run a pipeline", {
        remedy: "Start one with: shipinator serve. Or run a directory here and now: shipinator run",
      });
    const source = { kind: "pipeline", pipeline, ref, sha, validate: "later" } as const;
    return await client.trigger({ source, only, by: context.deps.login() }, signal);
  });
}
