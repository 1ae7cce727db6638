/**
 * A step that writes 512 MiB, from its begin to its recorded end, against the same bytes through `pipe | cat > file`.
 * What a run costs before its first step begins is no ingest, and would be a tenth of so short a time.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compare, type Outcome, timed } from "./harness.ts";
import { createWorkbench, exited, runOnce } from "./workbench.ts";

const write = "dd if=/dev/zero bs=64k count=8192 status=none";

export async function benchLogs(rounds: number): Promise<Outcome[]> {
  await using bench = await createWorkbench({ SHIPINATOR_LOCAL_LOG_CAP: "1GiB" });
  const { store } = await bench.app.open();
  const pipeline = mkdtempSync(join(bench.directory, "writer-"));
  writeFileSync(
    join(pipeline, ".shipinator.yaml"),
    `build:\n  steps:\n    - { name: write, run: "${write}" }\n`,
  );
  const target = join(bench.directory, "floor.log");
  const ingest = await compare({
    title: "a step that writes 512 MiB to its log",
    rounds,
    contenders: [
      {
        name: "shipinator",
        async measure() {
          const { runId, final } = await runOnce(bench, pipeline);
          rmSync(join(bench.dataDir, "logs"), { recursive: true, force: true });
          const [execution] = await store.executions.ofRun(runId);
          const begunAt = execution?.begun_at;
          if (!begunAt) throw new Error(`run ${runId} has no begun step`);
          return performance.timeOrigin + final - begunAt.getTime();
        },
      },
      {
        name: "pipe | cat > file",
        async measure() {
          const took = await timed(() => exited("sh", ["-c", `${write} | cat > ${target}`]));
          rmSync(target);
          return took;
        },
      },
    ],
    limits: [{ subject: "shipinator", of: "pipe | cat > file", most: 1 / 0.9 }],
  });
  return [ingest];
}
