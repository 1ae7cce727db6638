/** A step that writes 512 MiB, against the same bytes through `pipe | cat > file`. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compare, type Outcome, timed } from "./harness.ts";
import { createWorkbench, exited, runToEnd } from "./workbench.ts";

const write = "dd if=/dev/zero bs=64k count=8192 status=none";

export async function benchLogs(rounds: number): Promise<Outcome[]> {
  await using bench = await createWorkbench({ SHIPINATOR_LOCAL_LOG_CAP: "1GiB" });
  const pipeline = mkdtempSync(join(bench.directory, "writer-"));
  writeFileSync(
    join(pipeline, ".shipinator.yaml"),
    `build:\n  steps:\n    - { name: write, run: "${write}" }\n`,
  );
  const target = join(bench.directory, "floor.log");
  const ingest = await compare({
    title: "a step that writes 512 MiB to its log",
    rounds: Math.min(rounds, 7),
    contenders: [
      {
        name: "shipinator",
        async measure() {
          const took = await runToEnd(bench, pipeline);
          rmSync(join(bench.dataDir, "logs"), { recursive: true, force: true });
          return took;
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
