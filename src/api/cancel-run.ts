/** A cancel as REST and RPC answer it: with the run as it is then. */
import { Problem } from "../kernel/index.ts";
import type { Client, RunDetail } from "../services/index.ts";

/** @param how `now`: what is still being ended is killed at once. @throws Problem conflict: it is over otherwise */
export async function cancelRun(
  client: Client,
  reference: string,
  how: "now" | "in time",
): Promise<RunDetail> {
  const { id } = await client.head(reference);
  const answer = await client.cancel(id, "");
  if (answer !== "final" && how === "now") await client.force(id);
  const run = await client.get(id);
  if (answer === "final" && run.status !== "canceled")
    throw new Problem("conflict", `The run is over already: ${run.status}.`, {
      remedy: "There is nothing to cancel.",
    });
  return run;
}
