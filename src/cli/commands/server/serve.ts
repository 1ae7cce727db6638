/** `shipinator serve`: runs the server until an interrupt. */
import { type CommandContext, note } from "../../context.ts";
import { EXIT } from "../../errors.ts";
import { withInterrupts } from "../../interrupts.ts";

export async function serveCommand(context: CommandContext): Promise<number> {
  const { deps, configFile, errStyle } = context;
  return await withInterrupts(deps, 1, async ({ cancel }) => {
    // There is no spinner, because the server's log goes to the same terminal.
    const server = await deps.startServer({ configFile });
    const lines = [
      `${errStyle.bold("shipinator")} ${deps.version} serves on ${server.url}`,
      `  data         ${server.dataDir}`,
      `  admin token  ${server.adminTokenFile}`,
      `  the API      ${server.url}/docs`,
    ];
    deps.stderr.write(`${lines.join("\n")}\n`);
    for (const warning of server.warnings) note(context, warning);
    await aborted(cancel);
    deps.stderr.write(
      "Stopping after the current requests. Steps keep running. Press Ctrl-C again to stop immediately.\n",
    );
    await server.stop();
    return EXIT.done;
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
