/**
 * Runs of a real server, from the request on: until the step's process runs, and many of them to their end. What a step
 * says comes through a FIFO, so that the process itself is seen and not what is told of it.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Fifo, openFifo, untilItRan } from "./fifo.ts";
import { compare, inTurns, medianOf, type Outcome } from "./harness.ts";
import { startServer } from "./server.ts";
import { exited, temporaryDirectory } from "./workbench.ts";

const oneByOne = 10;
const many = 100;
const connections = 10;
const slots = 4;

export async function benchRuns(rounds: number): Promise<Outcome[]> {
  const directory = temporaryDirectory();
  const fifo = openFifo(join(directory, "said"));
  await using server = await startServer(directory, { SHIPINATOR_LOCAL_SLOTS: String(slots) });
  const file = `build:\n  steps:\n    - { name: a, run: 'echo . >${fifo.path}' }\n`;
  const repository = await server.register("noop", file);
  const floor = makeFloor(directory, repository, fifo);
  const path = "/v1/pipelines/noop/runs";
  const start = () => server.ask("POST", path, {});
  try {
    const until = await compare({
      title: `from the request of a run to its process, with source (median of ${oneByOne})`,
      rounds,
      contenders: [
        {
          name: "POST of a run",
          measure: () => medianOf(oneByOne, () => untilItRan(server, fifo, path, {})),
        },
        { name: "fetch, checkout, sh", measure: () => medianOf(oneByOne, () => floor.one()) },
      ],
      limits: [{ subject: "POST of a run", of: "fetch, checkout, sh", most: 1.3 }],
    });
    const all = await compare({
      title: `${many} runs of one step, ${slots} slots, from the first request to the last end`,
      rounds,
      contenders: [
        {
          name: "runs",
          measure: async () => {
            const from = performance.now();
            await inTurns(many, connections, start);
            await server.allEnded();
            return performance.now() - from;
          },
        },
        {
          name: `fetch, checkout, sh, ${slots} at once`,
          measure: async () => {
            const from = performance.now();
            await inTurns(many, slots, () => floor.one());
            return performance.now() - from;
          },
        },
      ],
      limits: [{ subject: "runs", most: (many / 400) * 1000 }],
    });
    return [until, all];
  } finally {
    fifo.close();
  }
}

/** What any program must do for a run: bring the commit, write its tree, start a shell that runs the script in it. */
function makeFloor(directory: string, repository: string, fifo: Fifo) {
  const free = Array.from({ length: slots }, (_, index) => join(directory, `floor-${index}.git`));
  for (const bare of free) execFileSync("git", ["init", "--quiet", "--bare", bare]);
  let made = 0;
  return {
    async one(): Promise<number> {
      const bare = free.pop();
      if (bare === undefined) throw new Error(`more than ${slots} at once`);
      const workspace = join(directory, `floor-${made++}`);
      mkdirSync(workspace);
      const said = fifo.next(1);
      await run("git", [`--git-dir=${bare}`, "fetch", "--quiet", "--depth=1", repository, "main"]);
      const at = [`--git-dir=${bare}`, `--work-tree=${workspace}`];
      await run("git", [...at, "checkout", "--quiet", "--force", "FETCH_HEAD", "--", "."]);
      await run("sh", ["-c", `cd ${workspace} && echo . >${fifo.path}`]);
      free.push(bare);
      return await said;
    },
  };
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const code = await exited(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}`);
}
