/** A run without source: a deploy that failed, once more. From its request until its process runs. */
import { join } from "node:path";
import { openFifo, untilItRan } from "./fifo.ts";
import { compare, medianOf, type Outcome } from "./harness.ts";
import { startServer } from "./server.ts";
import { exited, temporaryDirectory } from "./workbench.ts";

const oneByOne = 10;

export async function benchDeploys(rounds: number): Promise<Outcome[]> {
  const directory = temporaryDirectory();
  const fifo = openFifo(join(directory, "said"));
  await using server = await startServer(directory);
  try {
    const built =
      "build:\n  steps:\n    - { name: a, run: 'echo 1 >app', outputs: [{ type: binary, path: app }] }\n";
    const deployed = `deploy:\n  artifact: app\n  run: "echo . >${fifo.path}; exit 1"\n`;
    await server.register("deploying", `${built}${deployed}`);
    const ran = fifo.next(1);
    const { id: first } = await server.ask<{ id: string }>("POST", "/v1/pipelines/deploying/runs", {});
    await server.ended(first);
    await ran;
    const again = await compare({
      title: `from the request of a deploy again to its process, without source (median of ${oneByOne})`,
      rounds,
      contenders: [
        {
          name: "POST of a retry",
          measure: () =>
            medianOf(oneByOne, () =>
              untilItRan(server, fifo, `/v1/pipeline-runs/${first}/retry`, { what: "failed" }),
            ),
        },
        {
          name: "GET of a run, and sh",
          measure: () =>
            medianOf(oneByOne, async () => {
              const said = fifo.next(1);
              await server.ask("GET", `/v1/pipeline-runs/${first}`);
              await exited("sh", ["-c", `echo . >${fifo.path}`]);
              return await said;
            }),
        },
      ],
      limits: [{ subject: "POST of a retry", most: 5 }],
    });
    return [again];
  } finally {
    fifo.close();
  }
}
