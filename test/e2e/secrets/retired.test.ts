/** Secrets that are replaced or removed while a run is under way: what its earlier steps were given stays masked. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { RunDetail } from "../../../src/services/index.ts";
import { World } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";
import { ended, serverEnvironment, startServer } from "../../support/server.ts";

let world: World;
beforeEach(async () => {
  world = await World.prepared();
});
afterEach(() => world[Symbol.asyncDispose]());

const pipeline = `
build:
  steps:
    - name: write
      secrets: [TOKEN, OTHER]
      run: |
        printf '%s\\n%s\\n' "$TOKEN" "$OTHER" >kept
        : >"$HOME/wrote"; until [ -e "$HOME/go" ]; do sleep 0.05; done
    - { name: print, secrets: [TOKEN], run: 'cat kept; echo "$TOKEN"' }
    - { name: without, run: cat kept }
`;

it("are masked in later steps by their earlier values too, also after a restart of the server", async () => {
  const command = async (argv: readonly string[], input = "") =>
    await world.succeed(argv, { input, env: serverEnvironment });
  let server = await startServer(world);
  await command(["pipeline", "add", world.repository("app", { ".shipinator.yaml": pipeline })]);
  await command(["secret", "set", "TOKEN"], "the first value of 77");
  await command(["secret", "set", "OTHER"], "another value of 88");
  const { id } = await server.post<RunDetail>("/v1/pipelines/app/runs");
  await eventually(() => existsSync(join(world.home, "wrote")));
  await command(["secret", "set", "TOKEN"], "the second value of 77");
  await command(["secret", "set", "TOKEN"], "the third value of 77");
  await command(["secret", "remove", "OTHER"]);
  await command(["secret", "rotate"]);
  expect(await server.stop()).toBe(0);
  server = await startServer(world);
  writeFileSync(join(world.home, "go"), "");
  const run = await ended(server, id);
  expect([run.status, run.failure_message]).toEqual(["success", null]);
  const log = async (step: string) => (await command(["logs", id, "--step", step])).stdout;
  expect([await log("print"), await log("without")]).toEqual(["***\n***\n***\n", "***\n***\n"]);
  expect(await server.stop()).toBe(0);
});
