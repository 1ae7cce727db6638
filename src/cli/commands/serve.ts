/** `shipinator serve`: runs until it is told to stop. */
import { type CommandContext, note } from "../context.ts";
import { EXIT } from "../errors.ts";
import { withInterrupts } from "../interrupts.ts";

export async function serveCommand(context: CommandContext): Promise<number> {
  const { deps, configFile, errStyle } = context;
  return await withInterrupts(deps, 1, async ({ asked }) => {
    // Without a line that moves: the server's log begins on the same terminal meanwhile.
    const server = await deps.startServer({ configFile });
    const lines = [
      `${errStyle.bold("shipinator")} ${deps.version} serves on ${server.url}`,
      `  data         ${server.dataDir}`,
      `  admin token  ${server.adminTokenFile}`,
      `  the API      ${server.url}/docs`,
    ];
    deps.stderr.write(`${lines.join("\n")}\n`);
    for (const warning of server.warnings) note(context, warning);
    await aborted(asked);
    deps.stderr.write(
      "stopping: requests are answered first, what runs goes on; once more to stop at once\n",
    );
    await server.stop();
    return EXIT.done;
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
