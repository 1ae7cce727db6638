import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { OutputSpec } from "../../../src/domain/index.ts";
import { findOutputs } from "../../../src/executor/local/outputs/outputs.ts";

let base: string;
let root: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "shipinator-outputs-"));
  root = join(base, "workspace");
  mkdirSync(root);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const output = (path: string | null, ref: string | null = null): OutputSpec => ({
  name: "it",
  type: "binary",
  path,
  ref,
  required: true,
});
const find = async (path: string) => (await findOutputs(root, [output(path)]))[0];
function write(...paths: readonly string[]) {
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), path);
  }
}

describe("declared outputs that are there", () => {
  it("a file", async () => {
    write("bin/app", "bin/other");
    expect(await find("bin/app")).toMatchObject({ kind: "files", root, files: ["bin/app"], bundle: false });
    expect(await find("./bin//app")).toMatchObject({ files: ["bin/app"] });
  });

  it("a directory, with all below it, sorted by bytes", async () => {
    write("dist/b", "dist/a/z", "dist/a.txt", "dist/B", "dist/é", "dist/.hidden", "beside");
    expect(await find("dist/")).toMatchObject({
      bundle: true,
      files: ["dist/.hidden", "dist/B", "dist/a.txt", "dist/a/z", "dist/b", "dist/é"],
    });
    write("one/file");
    expect(await find("one")).toMatchObject({ bundle: true, files: ["one/file"] });
  });

  it("a pattern: one file stays a file, more become a bundle", async () => {
    write("a.tgz", "x/b.tgz", "x/y/c.tgz");
    expect(await find("*.tgz")).toMatchObject({ bundle: false, files: ["a.tgz"] });
    expect(await find("**/*.tgz")).toMatchObject({ bundle: true, files: ["a.tgz", "x/b.tgz", "x/y/c.tgz"] });
    expect(await find("x/{b,z}.tgz")).toMatchObject({ bundle: false, files: ["x/b.tgz"] });
  });

  it("a file whose name looks like a pattern", async () => {
    write("[id].html", "i.html");
    expect(await find("[id].html")).toMatchObject({ files: ["[id].html"] });
  });

  it("links that stay inside count as what they lead to; linked directories are not entered", async () => {
    write("lib/real.so", "dir/file");
    symlinkSync("real.so", join(root, "lib/link.so"));
    symlinkSync("../dir", join(root, "lib/dir"));
    symlinkSync("..", join(root, "lib/loop"));
    expect(await find("lib/**")).toMatchObject({ files: ["lib/link.so", "lib/real.so"] });
    expect(await find("lib/link.so")).toMatchObject({ files: ["lib/link.so"], bundle: false });
  });

  it("an image by ref", async () => {
    expect(await findOutputs(root, [output(null, "registry.test/app:1")])).toMatchObject([
      { kind: "ref", ref: "registry.test/app:1" },
    ]);
  });

  it("a deep tree and a large one", async () => {
    write(`${Array.from({ length: 100 }, () => "d").join("/")}/leaf`);
    mkdirSync(join(root, "many"));
    for (let n = 0; n < 2_000; n++) writeFileSync(join(root, "many", `f${n}`), "");
    expect(await find("d")).toMatchObject({ files: [expect.stringMatching(/leaf$/)] });
    expect((await find("many"))?.kind === "files" && (await find("many"))).toMatchObject({
      files: { length: 2_000 },
    });
  });
});

describe("declared outputs that are not", () => {
  it.each([
    ["bin/app", "no file matches bin/app; bin/ holds: app2, tool"],
    ["bin/*.exe", "no file matches bin/*.exe; bin/ holds: app2, tool"],
    ["lib/x/y", "no file matches lib/x/y; the workspace holds: bin/"],
  ])("%s: says what is there instead", async (path, message) => {
    write("bin/app2", "bin/tool");
    expect(await find(path)).toMatchObject({ kind: "missing", reason: "artifact_missing", message });
  });

  it.each([
    ["../secret", "leads upwards"],
    ["a/../../secret", "leads upwards"],
    ["/etc/passwd", "is absolute"],
    ["a\nb", "control character"],
    ["a\0b", "control character"],
    ["x".repeat(4_000), "has 4000 characters"],
    ["", "names no file"],
    [".", "names no file"],
    ["./", "names no file"],
  ])("%j is refused", async (path, message) => {
    writeFileSync(join(base, "secret"), "s");
    const found = await find(path);
    expect(found).toMatchObject({ kind: "missing", message: expect.stringContaining(message) });
  });

  it("what a link leads out of the workspace to", async () => {
    writeFileSync(join(base, "secret"), "s");
    symlinkSync(join(base, "secret"), join(root, "app"));
    symlinkSync(base, join(root, "up"));
    symlinkSync("nowhere", join(root, "dangling"));
    mkdirSync(join(root, "dist"));
    symlinkSync("../../secret", join(root, "dist/leak"));
    expect(await find("app")).toMatchObject({
      kind: "missing",
      message: expect.stringContaining("leads out of the workspace"),
    });
    expect(await find("up/secret")).toMatchObject({ kind: "missing" });
    expect(await find("up/*")).toMatchObject({ kind: "missing" });
    expect(await find("dist")).toMatchObject({ kind: "missing", message: "dist is an empty directory" });
    expect(await find("dangling")).toMatchObject({ kind: "missing" });
  });

  it("a workspace that is gone, or that is itself replaced by a link", async () => {
    rmSync(root, { recursive: true });
    expect(await find("a")).toMatchObject({ message: expect.stringContaining("the workspace is gone") });
  });

  it("a device, a socket, a FIFO", async () => {
    symlinkSync("/dev/null", join(root, "null"));
    expect(await find("null")).toMatchObject({ kind: "missing" });
  });

  it("a name that is not UTF-8", async () => {
    mkdirSync(join(root, "dist"));
    writeFileSync(Buffer.concat([Buffer.from(`${root}/dist/x`), Buffer.from([0xff])]), "");
    expect(await find("dist")).toMatchObject({
      kind: "missing",
      message: expect.stringContaining("not UTF-8"),
    });
  });

  it("the names in a directory that was swapped for a link out of the workspace", async () => {
    const outside = join(base, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "secret-1"), "s");
    write("dist/sub/file");
    // Swaps without a pause, as a step could that is still running.
    const swapping = spawn(
      process.execPath,
      [
        "-e",
        `const { renameSync, symlinkSync, writeSync } = require("node:fs");
         symlinkSync(${JSON.stringify(outside)}, "link");
         writeSync(1, "ready");
         for (;;) {
           renameSync("sub", "kept"); renameSync("link", "sub");
           renameSync("sub", "link"); renameSync("kept", "sub");
         }`,
      ],
      { cwd: join(root, "dist"), stdio: ["ignore", "pipe", "ignore"] },
    );
    await once(swapping.stdout, "data");
    try {
      for (let round = 0; round < 500; round++)
        for (const path of ["dist", "dist/**/secret-*", "dist/sub/x*"])
          expect(JSON.stringify(await find(path))).not.toContain("secret-1");
    } finally {
      swapping.kill("SIGKILL");
      await once(swapping, "exit");
    }
  });
});

describe("a pattern that is much work", () => {
  const costly = `${"*a".repeat(500)}b`;
  const fill = (files: number) => {
    for (let n = 0; n < files; n++) writeFileSync(join(root, `${"a".repeat(240)}${n}`), "");
  };

  it("lets everything else have its turn, and stops when it is told to", async () => {
    fill(200);
    const abort = new AbortController();
    let turns = 0;
    const counting = setInterval(() => {
      if (++turns === 3) abort.abort(new Error("told to stop"));
    });
    const found = findOutputs(root, [output(costly)], { signal: abort.signal });
    await expect(found).rejects.toThrow("told to stop");
    clearInterval(counting);
  });

  it("is given up in the end", async () => {
    fill(20);
    const found = await findOutputs(root, [output(costly), output("*0")], { maxSteps: 2_000_000 });
    expect(found).toMatchObject([
      { kind: "missing", message: `${costly} is too much work to match; write a simpler pattern` },
      { kind: "missing" },
    ]);
  });
});
