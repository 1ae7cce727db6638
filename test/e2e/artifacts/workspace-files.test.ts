import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { type ArtifactId, newId } from "../../../src/kernel/index.ts";
import { type Bench, openBench } from "./support/bench.ts";

function putFiles(
  bench: Bench,
  files: readonly string[],
  declaredPath: string,
  { bundle }: { bundle: boolean },
) {
  const request = {
    id: newId<ArtifactId>(),
    name: "app",
    type: "binary",
    files,
    declaredPath,
    bundle,
  } as const;
  return bench.store.putFiles({ ...request, root: bench.workspace });
}
const one = { bundle: false };
const many = { bundle: true };

async function expectRefused(bench: Bench, file: string, fact: string): Promise<void> {
  for (const how of [one, many]) {
    const put = putFiles(bench, [file], "*", how);
    await expect(put).rejects.toMatchObject({
      code: "artifact_missing",
      place: file,
      message: expect.stringContaining(fact),
    });
  }
  expect([await bench.visible(), await bench.temporary()]).toEqual([[], []]);
}

describe("one file of a workspace", () => {
  it("is kept with its mode", async () => {
    await using bench = await openBench();
    await bench.write({ "bin/app": "binary" });
    await fs.chmod(path.join(bench.workspace, "bin/app"), 0o750);
    const stored = await putFiles(bench, ["bin/app"], "bin/*", one);
    expect(stored.metadata).toEqual({ form: "file", path: "bin/app", mode: 0o750 });
    expect(await fs.readFile(stored.storagePath, "utf8")).toBe("binary");
  });

  it("may be reached by a symlink that stays inside", async () => {
    await using bench = await openBench();
    await bench.write({ "real/app-1.2": "binary" });
    await fs.symlink("real", path.join(bench.workspace, "out"));
    await fs.symlink("app-1.2", path.join(bench.workspace, "real/app"));
    const stored = await putFiles(bench, ["out/app"], "out/app", one);
    expect(await fs.readFile(stored.storagePath, "utf8")).toBe("binary");
  });

  it("may have any name that a file can have", async () => {
    await using bench = await openBench();
    for (const name of ["-rf", "a b\nc", "ü€😀", "x".repeat(255)]) {
      await bench.write({ [name]: name });
      const stored = await putFiles(bench, [name], "*", one);
      expect(await fs.readFile(stored.storagePath, "utf8")).toBe(name);
    }
  });
});

describe("what is refused, naming the path", () => {
  it("a file of another account than the step's, alone or among others", async () => {
    await using bench = await openBench();
    await bench.write({ "bin/app": "binary", "bin/tool": "binary" });
    const request = { name: "app", type: "binary", declaredPath: "bin", root: bench.workspace } as const;
    const { uid } = await fs.stat(path.join(bench.workspace, "bin/app"));
    for (const files of [["bin/app"], ["bin/app", "bin/tool"]]) {
      const put = (owner: number) =>
        bench.store.putFiles({
          ...request,
          ...{ id: newId<ArtifactId>(), files, bundle: files.length > 1, owner },
        });
      await expect(put(uid + 1)).rejects.toMatchObject({
        code: "artifact_missing",
        place: "bin/app",
        message: expect.stringContaining("belongs to another account than the step's"),
      });
      expect(await put(uid)).toMatchObject({ sha256: expect.any(String) });
    }
  });

  it("an absent file, a path out of the workspace, a workspace that is gone", async () => {
    await using bench = await openBench();
    await fs.writeFile(path.join(bench.directory, "secret"), "secret");
    await expectRefused(bench, "absent", "does not exist");
    await expect(putFiles(bench, ["../secret"], "*", one)).rejects.toMatchObject({
      code: "artifact_missing",
    });
    await expect(putFiles(bench, ["../secret"], "*", many)).rejects.toMatchObject({
      code: "artifact_missing",
    });
    await expect(putFiles(bench, [], "bin/*", many)).rejects.toMatchObject({ code: "artifact_missing" });
    await fs.rm(bench.workspace, { recursive: true });
    await expect(putFiles(bench, ["app"], "app", one)).rejects.toMatchObject({ code: "artifact_missing" });
  });

  it("symlinks that lead out, by file, directory, chain or loop", async () => {
    await using bench = await openBench();
    await fs.writeFile(path.join(bench.directory, "secret"), "secret");
    const link = (name: string, target: string) => fs.symlink(target, path.join(bench.workspace, name));
    await link("relative", "../secret");
    await link("absolute", path.join(bench.directory, "secret"));
    await link("up", "..");
    await link("chain", "relative");
    await link("loop", "loop");
    await expectRefused(bench, "relative", "leads out of the workspace");
    await expectRefused(bench, "absolute", "leads out of the workspace");
    await expectRefused(bench, "up/secret", "leads out of the workspace");
    await expect(putFiles(bench, ["chain"], "chain", one)).rejects.toMatchObject({
      code: "artifact_missing",
    });
    await expect(putFiles(bench, ["loop"], "loop", one)).rejects.toMatchObject({ code: "artifact_missing" });
    await expect(putFiles(bench, ["up"], "*", many)).rejects.toMatchObject({ code: "artifact_missing" });
  });

  it("a sibling whose name begins like the workspace's", async () => {
    await using bench = await openBench();
    await fs.writeFile(`${bench.workspace}-2`, "secret");
    await fs.symlink(`../${path.basename(bench.workspace)}-2`, path.join(bench.workspace, "app"));
    await expectRefused(bench, "app", "leads out of the workspace");
  });

  it("FIFOs, sockets and devices, without opening them", async () => {
    await using bench = await openBench();
    execFileSync("sh", ["-c", 'mkfifo "$0"', path.join(bench.workspace, "fifo")]);
    await expectRefused(bench, "fifo", "FIFO");
    const server = net.createServer();
    const socket = path.join(bench.workspace, "s");
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    await expectRefused(bench, "s", "socket");
    await new Promise((resolve) => server.close(resolve));
    await fs.symlink("/dev/zero", path.join(bench.workspace, "zero"));
    await expectRefused(bench, "zero", "leads out of the workspace");
  });

  it("a directory where one file is expected", async () => {
    await using bench = await openBench();
    await bench.write({ "dir/file": "" });
    await expect(putFiles(bench, ["dir"], "dir", one)).rejects.toThrow("not a regular file");
  });
});

const swapForEver = `
  const fs = require("node:fs");
  console.log("swapping");
  for (;;) {
    fs.renameSync("bin", "aside");
    fs.symlinkSync(process.argv[1], "bin");
    fs.unlinkSync("bin");
    fs.renameSync("aside", "bin");
  }`;

describe("a workspace that changes under the reader", () => {
  it("never gives a byte from outside, however its directories are swapped", async () => {
    await using bench = await openBench();
    const outside = path.join(bench.directory, "outside");
    await fs.mkdir(outside);
    await fs.writeFile(path.join(outside, "app"), "secret");
    await bench.write({ "bin/app": "public" });
    // A process of its own, as a step would be: it swaps far faster than one that shares our event loop.
    const swapper = spawn(process.execPath, ["-e", swapForEver, outside], { cwd: bench.workspace });
    await once(swapper.stdout, "data");
    const kinds = new Set<string>();
    try {
      for (let turn = 0; turn < 150; turn += 1) {
        const put = putFiles(bench, ["bin/app"], "bin/*", turn % 2 === 0 ? one : many);
        const content = await put.then(
          (stored) => fs.readFile(stored.storagePath, "latin1"),
          (error: Error) => error.message,
        );
        expect(content).not.toContain("secret");
        kinds.add(content.includes("public") ? "read" : "refused");
      }
    } finally {
      swapper.kill("SIGKILL");
      await once(swapper, "close");
    }
    expect(kinds).toContain("refused");
  });

  it.each([one, many])("gives an error when the file grows meanwhile ($bundle)", async (how) => {
    await using bench = await openBench();
    await bench.write({ app: Buffer.alloc(4 << 20) });
    const file = path.join(bench.workspace, "app");
    let over = false;
    const growing = (async () => {
      while (!over) await fs.appendFile(file, "more");
    })();
    await expect(putFiles(bench, ["app"], "*", how)).rejects.toMatchObject({
      code: "artifact_corrupt",
      message: expect.stringContaining('"app" changed while it was being stored'),
    });
    over = true;
    await growing;
    expect([await bench.visible(), await bench.temporary()]).toEqual([[], []]);
  });
});
