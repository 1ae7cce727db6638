/** Runs a command to its end, on a run that has failed where a test gives no other. */
import { createManualClock } from "./clock.ts";
import { createFakeClient, type FakeClientOptions } from "./fake-client.ts";
import { FakeRun } from "./fake-run.ts";
import { finish, type HarnessOptions, start } from "./harness.ts";

export function finishedRun(clock = createManualClock()): FakeRun {
  const run = new FakeRun({ build: ["compile"], test: ["unit", "compile"] }, clock);
  run.step("build/compile", "building\n");
  run.endJob("build", "succeeded");
  run.step("test/unit", "ok\n");
  run.step("test/compile", "no newline at the end", { reason: "script_failed", exit: 1 });
  run.endJob("test", "failed", "script_failed");
  run.moveRun("failed", "script_failed");
  return run;
}

export async function execute(
  argv: readonly string[],
  client: Partial<FakeClientOptions> = {},
  options: Partial<HarnessOptions> = {},
) {
  const fake = createFakeClient({ runs: [finishedRun()], ...client });
  const command = start({ argv, client: fake, ...options });
  const code = await finish(command);
  return { code, stdout: command.stdout.text(), stderr: command.stderr.text(), command };
}
