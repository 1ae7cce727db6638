/** Two orderly restarts and one kill -9 in the middle of 200 runs: none is lost, no step begins twice. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Page, RunDetail, RunSummary } from "../../../src/services/index.ts";
import { World } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";
import { portOf, serverEnvironment, startServer } from "../../support/server.ts";

const count = 200;
const step = (name: string) =>
  `{ name: ${name}, run: 'echo "$SHIPINATOR_RUN_ID ${name}" >> $HOME/ledger; sleep 0.02' }`;
const pipeline = `build:\n  steps:\n    - ${step("a")}\n    - ${step("b")}\n`;

it(`${count} runs through two restarts and a kill`, async () => {
  await using world = await World.prepared();
  let server = await startServer(world);
  const port = portOf(server);
  const repository = world.repository("app", { ".shipinator.yaml": pipeline });
  await world.shipinator(["pipeline", "add", repository], { env: serverEnvironment });
  const runs: string[] = [];
  for (let made = 0; made < count; made += 1)
    runs.push((await server.post<RunDetail>("/v1/pipelines/app/runs")).id);
  const ledger = () => {
    try {
      return readFileSync(join(world.home, "ledger"), "utf8").split("\n").filter(Boolean);
    } catch {
      return [];
    }
  };
  for (const [begun, end] of [
    [40, "stop"],
    [140, "kill"],
    [260, "stop"],
  ] as const) {
    await eventually(() => ledger().length >= begun);
    if (end === "stop") expect(await server.stop()).toBe(0);
    else await server.kill();
    server = await startServer(world, port);
  }
  await eventually(async () => {
    const pages = await Promise.all(
      ["pending", "running"].map((status) =>
        server.get<Page<RunSummary>>(`/v1/pipeline-runs?status=${status}&limit=1000`),
      ),
    );
    return pages.every(({ items }) => items.length === 0);
  });
  const statuses = new Map<string, number>();
  for (const id of runs) {
    const { status } = await server.get<RunDetail>(`/v1/pipeline-runs/${id}`);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  expect([...statuses]).toEqual([["success", count]]);
  const lines = ledger();
  expect(lines.length).toBe(2 * count);
  expect(new Set(lines).size).toBe(2 * count);
  expect(await server.stop()).toBe(0);
});
