/** A client for the length of one command that looks and changes nothing. */
import type { Client, RunSummary } from "../services/index.ts";
import { type CommandContext, note } from "./context.ts";
import type { ClientMode, Session } from "./deps.ts";
import { EXIT } from "./errors.ts";
import { withInterrupts } from "./interrupts.ts";
import { resumeWords } from "./printed.ts";
import { runTitle } from "./watch/step-line.ts";

/** Opens, works, says which runs wait to be continued, closes. The signal aborts on Ctrl-C and when nobody reads. */
export async function withReader(
  context: CommandContext,
  work: (session: Session, signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const { deps } = context;
  return await withInterrupts(deps, 1, async ({ asked }) => {
    const signal = AbortSignal.any([asked, deps.stdout.gone]);
    const session = await openReader(context);
    try {
      if (asked.aborted) return EXIT.interrupted;
      const code = await work(session, signal).catch((error: unknown) => endQuietly(error, deps.stdout.gone));
      if (asked.aborted) return EXIT.interrupted;
      await mentionAbandoned(context, session.client);
      return code;
    } finally {
      await session.close();
    }
  });
}

/** A server's client where one was named or is found, else one of this data directory, which only looks unless told. */
export async function openReader(context: CommandContext, mode: ClientMode = "read"): Promise<Session> {
  const { deps, configFile } = context;
  const { chooseServer } = await import("./remote/choose-server.ts");
  const chosen = await chooseServer(context);
  if (chosen === null) return await deps.openClient({ mode, configFile });
  const { createRemoteClient } = await import("./remote/remote-client.ts");
  const { createTransport } = await import("./remote/transport.ts");
  const client = createRemoteClient(createTransport({ ...chosen, clock: deps.clock }), deps.clock);
  return { client, dataDir: chosen.server, place: "server", close: async () => undefined };
}

function endQuietly(error: unknown, gone: AbortSignal): number {
  if (gone.aborted) return EXIT.done;
  throw error;
}

/** Says of all runs that nobody carries, or of one, how to continue them. */
export async function mentionAbandoned(
  context: CommandContext,
  client: Client,
  only?: RunSummary,
): Promise<void> {
  for (const run of await client.abandoned()) {
    if (only !== undefined && only.id !== run.id) continue;
    note(
      context,
      `${runTitle(run)} was left unfinished; this continues it: shipinator resume ${await resumeWords(context, client, run)}`,
    );
  }
}
