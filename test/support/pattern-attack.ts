/** Outputs whose patterns are as hard to match as a pipeline file can make them, against a real server. */
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { RunDetail } from "../../src/services/index.ts";
import type { World } from "./cli.ts";
import { eventually } from "./eventually.ts";
import { ended, startServer } from "./server.ts";

const pipeline = (script: string, path: string) =>
  `build:\n  steps:\n    - name: make\n      run: |\n        ${script}\n      outputs: [{ type: binary, name: it, path: "${path}" }]\n`;

/**
 * The server answers, serves SIGTERM and starts again, whatever a step declares.
 * @param env of the server: who steps run as
 */
export async function attackWithPatterns(world: World, env: Readonly<Record<string, string>>): Promise<void> {
  const marks = join(world.root, "marks");
  mkdirSync(marks);
  chmodSync(marks, 0o777);
  const name = (length: number, more = "") => `$(printf '%0${length}d' 0 | tr 0 a)${more}`;
  // One name that a regular expression would try in more ways than can be counted.
  world.repository("backtracking", {
    ".shipinator.yaml": pipeline(`mkdir o; : >o/${name(200)}`, "o/*a*a*a*a*a*b"),
  });
  // Many names that are work for any matcher.
  world.repository("many", {
    ".shipinator.yaml": pipeline(
      `mkdir o; a=${name(240)}; n=0; while [ $n -lt 2000 ]; do : >o/$a$n; n=$((n+1)); done; : >${marks}/made`,
      `o/${"*a".repeat(400)}b`,
    ),
  });
  const commands = { env };
  let server = await startServer(world, 0, env);
  for (const repository of ["backtracking", "many"])
    await world.succeed(["pipeline", "add", join(world.root, repository)], commands);

  const backtracking = await server.post<RunDetail>("/v1/pipelines/backtracking/runs");
  expect(await ended(server, backtracking.id)).toMatchObject({
    status: "failed",
    failure_reason: "artifact_missing",
  });

  const many = await server.post<RunDetail>("/v1/pipelines/many/runs");
  await eventually(() => existsSync(join(marks, "made")));
  expect((await server.fetch("/healthz")).status).toBe(200);
  expect(await server.stop()).toBe(0);

  server = await startServer(world, 0, env);
  expect((await server.fetch("/healthz")).status).toBe(200);
  expect(await ended(server, many.id)).toMatchObject({
    status: "failed",
    failure_reason: "artifact_missing",
  });
  expect(await server.stop()).toBe(0);
}
