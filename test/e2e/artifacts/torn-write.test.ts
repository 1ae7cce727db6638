import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type ArtifactId, type InstanceId, newId } from "../../../src/kernel/index.ts";
import { asFile, chunked, openBench, random } from "./support/bench.ts";

describe("a writer that is killed in the middle of a put", () => {
  it("leaves no artifact, and what it leaves is swept once it is known to be dead", async () => {
    await using bench = await openBench();
    const id = newId<ArtifactId>();
    const script = fileURLToPath(import.meta.resolve("./support/endless-put.ts"));
    const writer = spawn(process.execPath, [script, bench.base, bench.nodeId, id]);
    try {
      await once(writer.stdout, "data");
    } finally {
      writer.kill("SIGKILL");
      await once(writer, "close");
    }
    expect(await bench.visible()).toEqual([]);
    expect(await bench.temporary()).toEqual([expect.stringContaining(`${bench.nodeId}-killed-`)]);

    const asked: string[] = [];
    const alive = (nodeId: InstanceId, instance: string) => asked.push(`${nodeId} ${instance}`) > 0;
    expect(await bench.store.removeTemporary(alive)).toBe(0);
    expect(asked).toEqual([`${bench.nodeId} killed`]);
    expect(await bench.store.removeTemporary(() => false)).toBe(1);
    expect(await bench.temporary()).toEqual([]);

    const source = chunked(random(10), 3);
    await bench.store.put({ id, name: "app", type: "binary", metadata: asFile, source });
    expect(await bench.visible()).toEqual([id]);
  });

  it("costs nobody else a file: unknown names stay, an empty store is fine", async () => {
    await using bench = await openBench();
    expect(await bench.store.removeTemporary(() => false)).toBe(0);
    await fs.mkdir(path.join(bench.base, "tmp/lost+found"), { recursive: true });
    expect(await bench.store.removeTemporary(() => false)).toBe(0);
    expect(await bench.temporary()).toEqual(["lost+found"]);
  });
});
