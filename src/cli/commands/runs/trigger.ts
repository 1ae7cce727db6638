/** `shipinator trigger PIPELINE`: starts a run on the server, and with `--follow` shows it to its end. */
import { Problem } from "../../../kernel/index.ts";
import type { CommandContext } from "../../context.ts";
import { type ShowMode, showAccepted } from "./accepted-run.ts";
import { parseStages } from "./run.ts";

export interface TriggerArguments {
  readonly pipeline: string;
  readonly ref: string | null;
  readonly sha: string | null;
  /** Text of the option: `build,test`. */
  readonly only: string | null;
  readonly show: ShowMode;
}

export async function triggerCommand(context: CommandContext, args: TriggerArguments): Promise<number> {
  const { pipeline, ref, sha, show } = args;
  const only = args.only === null ? null : parseStages([args.only]);
  return await showAccepted(context, show, async ({ client, location }, signal) => {
    // This process does not wait for the run, so it cannot drive it.
    if (location === "local")
      throw new Problem("usage", "There is no server to run the pipeline.", {
        remedy: "Start one with: shipinator serve. To run a directory without a server: shipinator run",
      });
    const source = { kind: "pipeline", pipeline, ref, sha, validate: "later" } as const;
    return await client.trigger({ source, only, by: context.deps.login() }, signal);
  });
}
