/** A server that npx has started, as the README does it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { World } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";
import { serverEnvironment } from "../../support/server.ts";

let world: World;
beforeEach(async () => {
  world = await World.prepared();
});
afterEach(() => world[Symbol.asyncDispose]());

it("ends in order when npx alone is told to stop", async () => {
  const npx = spawn("npx", ["shipinator", "serve"], {
    cwd: fileURLToPath(new URL("../../..", import.meta.url)),
    env: { ...world.environment, ...serverEnvironment, SHIPINATOR_LISTEN_ADDRESS: "127.0.0.1:0" },
    stdio: "ignore",
  });
  const announcement = join(world.dataDir, "server.json");
  const isAnnounced = () => existsSync(announcement) && readFileSync(announcement, "utf8").endsWith("\n");
  await eventually(() => isAnnounced() || npx.exitCode !== null);
  expect(npx.exitCode).toBeNull();
  const { pid }: { pid: number } = JSON.parse(readFileSync(announcement, "utf8"));
  npx.kill("SIGTERM");
  await once(npx, "exit");
  await eventually(() => !existsSync(`/proc/${pid}`));
  // It has stopped in order: a server that was killed leaves its announcement.
  expect(existsSync(announcement)).toBe(false);
});
