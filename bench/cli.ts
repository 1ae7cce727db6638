/** What a person waits for at the terminal: `run` of a no-op pipeline, first and later, `validate`, and `status`. */

import { execFile } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compare, type Outcome, timed } from "./harness.ts";
import { startServer } from "./server.ts";
import { noopPipeline, temporaryDirectory } from "./workbench.ts";

const launcher = fileURLToPath(new URL("../src/launch.js", import.meta.url));

export async function benchCli(rounds: number): Promise<Outcome[]> {
  const directory = temporaryDirectory();
  try {
    const pipeline = noopPipeline(directory, 1);
    const warm = join(directory, "warm");
    await shipinator(warm, ["run", pipeline]);
    const served = join(directory, "served");
    mkdirSync(served);
    await shipinator(join(served, "data"), ["run", pipeline]);
    await using server = await startServer(served);
    const asked = { SHIPINATOR_SERVER: server.url, SHIPINATOR_TOKEN: server.token };
    let first = 0;
    const run = await compare({
      title: "a command, from Node's start to its end",
      rounds,
      contenders: [
        { name: "run, no-op, later", measure: () => timed(() => shipinator(warm, ["run", pipeline])) },
        {
          name: "run, no-op, first",
          measure: () => timed(() => shipinator(join(directory, `first-${first++}`), ["run", pipeline])),
        },
        {
          name: "validate",
          measure: () => timed(() => shipinator(warm, ["validate", join(pipeline, ".shipinator.yaml")])),
        },
        { name: "status, of a server", measure: () => timed(() => shipinator(warm, ["status"], asked)) },
        { name: "floor: node -e 0", measure: () => timed(() => node(["-e", "0"], process.env)) },
      ],
      limits: [
        { subject: "run, no-op, later", most: 500 },
        { subject: "run, no-op, first", most: 5_000 },
        { subject: "validate", most: 150 },
        { subject: "status, of a server", most: 150 },
      ],
    });
    return [run];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function shipinator(
  dataDir: string,
  words: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  return node([launcher, ...words], { ...process.env, SHIPINATOR_DATA_DIR: dataDir, ...more });
}

function node(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { env }, (error, stdout, stderr) => {
      if (error === null) resolve();
      else reject(new Error(`${args.join(" ")} failed: ${stdout}${stderr}`, { cause: error }));
    });
  });
}
