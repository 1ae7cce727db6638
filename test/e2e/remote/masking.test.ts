/** Secrets in logs of steps that run elsewhere, whose executor masks nothing. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RunDetail } from "../../../src/services/index.ts";
import { CallbackAgent } from "../../support/callback-agent.ts";
import { World } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";
import { ended, portOf, serverEnvironment, startServer } from "../../support/server.ts";

let world: World;
let agent: CallbackAgent;
beforeAll(async () => {
  world = await World.prepared();
  agent = new CallbackAgent(world.home);
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const pipeline = `
build:
  steps:
    - name: write
      secrets: [TOKEN]
      run: |
        printf '%s' "$TOKEN" >kept; printf 'it is the fir'
        : >"$HOME/wrote"; until [ -e "$HOME/go" ]; do sleep 0.05; done
        echo 'st of 77.'
    - { name: print, run: 'cat kept; echo; base64 kept' }
    - { name: use, secrets: [TOKEN], run: 'cat kept; printf " %s" "$TOKEN"' }
`;

it("are masked by all values of the run, earlier ones too, also by a server that comes in between", async () => {
  const environment = { SHIPINATOR_EXECUTOR: "remote", SHIPINATOR_REMOTE_LAUNCH: agent.program };
  const command = async (argv: readonly string[], input = "") =>
    await world.succeed(argv, { input, env: serverEnvironment });
  let server = await startServer(world, 0, environment);
  await command(["pipeline", "add", world.repository("app", { ".shipinator.yaml": pipeline })]);
  await command(["secret", "set", "TOKEN"], "the first of 77");
  const { id } = await server.post<RunDetail>("/v1/pipelines/app/runs");
  await eventually(() => existsSync(join(world.home, "wrote")));
  await command(["secret", "set", "TOKEN"], "the second of 77");
  const port = portOf(server);
  await server.kill();
  server = await startServer(world, port, environment);
  writeFileSync(join(world.home, "go"), "");
  const run = await ended(server, id);
  expect([run.status, run.failure_message]).toEqual(["success", null]);
  const log = async (step: string) => (await command(["logs", id, "--step", step])).stdout;
  expect(await log("write")).toBe("it is ***.\n");
  expect(await log("print")).toMatch(/^\*\*\*\n\*\*\*.{0,4}\n$/);
  expect(await log("use")).toBe("*** ***");
  expect(agent.heard.filter((one) => /error|open$/.test(one))).toEqual([]);
  expect(await server.stop()).toBe(0);
});
