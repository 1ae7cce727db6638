/** A repository of another account: git does not trust it, and the server says so. */
import { execFileSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { expect, it } from "vitest";
import { World } from "../../support/cli.ts";
import { serverEnvironment, startServer } from "../../support/server.ts";

it("pipeline add refuses a repository of another owner", async (context) => {
  context.skip(process.getuid?.() !== 0, "only root can give a repository to another account");
  await using world = await World.prepared();
  const server = await startServer(world);
  const directory = world.repository("foreign", {
    ".shipinator.yaml": "build:\n  steps: [{ name: a, run: a }]\n",
  });
  execFileSync("chown", ["-R", "65534", directory]);
  chmodSync(directory, 0o755);
  const added = await world.shipinator(["pipeline", "add", directory], { env: serverEnvironment });
  expect([added.code, added.stderr]).toEqual([2, expect.stringContaining("belongs to another user")]);
  expect(await server.stop()).toBe(0);
});
