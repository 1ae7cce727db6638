/** Clients for commands that do not drive runs. */
import type { Client, RunSummary } from "../services/index.ts";
import { type CommandContext, note } from "./context.ts";
import type { ClientMode, Session } from "./deps.ts";
import { EXIT } from "./errors.ts";
import { withInterrupts } from "./interrupts.ts";
import { resumeArgument } from "./suggested-arguments.ts";
import { runTitle } from "./watch/step-line.ts";

/** Runs work with a client and then notes abandoned runs. The signal aborts on Ctrl-C and when stdout is closed. */
export async function withClient(
  context: CommandContext,
  work: (session: Session, signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const { deps } = context;
  return await withInterrupts(deps, 1, async ({ cancel }) => {
    const signal = AbortSignal.any([cancel, deps.stdout.gone]);
    const session = await openClient(context);
    try {
      if (cancel.aborted) return EXIT.interrupted;
      const code = await work(session, signal).catch((error: unknown) =>
        ignoreClosedOutput(error, deps.stdout.gone),
      );
      if (cancel.aborted) return EXIT.interrupted;
      await noteAbandoned(context, session.client);
      return code;
    } finally {
      await session.close();
    }
  });
}

/** Opens a client of the selected or found server, else one of this data directory. */
export async function openClient(context: CommandContext, mode: ClientMode = "read"): Promise<Session> {
  const { deps, configFile } = context;
  const { chooseServer } = await import("./remote/choose-server.ts");
  const chosen = await chooseServer(context);
  if (chosen === null) return await deps.openClient({ mode, configFile });
  const { createRemoteClient } = await import("./remote/remote-client.ts");
  const { createTransport } = await import("./remote/transport.ts");
  const client = createRemoteClient(createTransport({ ...chosen, clock: deps.clock }), deps.clock);
  return { client, dataDir: chosen.server, location: "server", close: async () => undefined };
}

function ignoreClosedOutput(error: unknown, gone: AbortSignal): number {
  if (gone.aborted) return EXIT.done;
  throw error;
}

/** Notes how to resume runs without an owner: all, or only one. */
export async function noteAbandoned(
  context: CommandContext,
  client: Client,
  only?: RunSummary,
): Promise<void> {
  for (const run of await client.abandoned()) {
    if (only !== undefined && only.id !== run.id) continue;
    note(
      context,
      `Unfinished: ${runTitle(run)}. Resume it with: shipinator resume ${await resumeArgument(context, client, run)}`,
    );
  }
}
