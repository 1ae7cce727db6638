import fs from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ArtifactMetadata } from "../../../src/domain/index.ts";
import { type ArtifactId, newId } from "../../../src/kernel/index.ts";
import { asFile, asInput, type Bench, chunked, openBench, random } from "./support/bench.ts";

async function bundle(bench: Bench, files: readonly string[], declaredPath: string) {
  const id = newId<ArtifactId>();
  const request = { id, name: "app", type: "helm_chart", files, declaredPath, bundle: true } as const;
  return { id, ...(await bench.store.putFiles({ ...request, root: bench.workspace })) };
}

async function emptyRoot(bench: Bench): Promise<string> {
  return fs.mkdtemp(path.join(bench.directory, "root-"));
}

/** Path → content, mode or link target, of everything below a directory. */
async function tree(root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await fs.readdir(root, { recursive: true, withFileTypes: true })) {
    const full = path.join(entry.parentPath, entry.name);
    const name = path.relative(root, full);
    if (entry.isSymbolicLink()) found[name] = `→ ${await fs.readlink(full)}`;
    else if (entry.isFile()) {
      const { mode } = await fs.stat(full);
      found[name] = `${(mode & 0o777).toString(8)} ${await fs.readFile(full, "latin1")}`;
    }
  }
  return found;
}

describe("a bundle", () => {
  it("has the same bytes for the same tree, whatever its times, modes, owner and order", async () => {
    await using first = await openBench();
    await using second = await openBench();
    const files = {
      "d/b": "b",
      "d/a/x": "x",
      [`d/${"long/".repeat(60)}name`]: "l",
      [`d/${"ü".repeat(90)}`]: "u",
    };
    for (const bench of [first, second]) {
      await bench.write(files);
      await fs.symlink("a/x", path.join(bench.workspace, "d/link"));
    }
    await fs.utimes(path.join(second.workspace, "d/b"), 1, 1);
    await fs.chmod(path.join(second.workspace, "d/b"), 0o600);
    const names = [...Object.keys(files), "d/link"];
    const one = await bundle(first, names, "d");
    const two = await bundle(second, [...names, "d/b"].toReversed(), "./d/");
    expect(one.sha256).toBe(two.sha256);
    expect(one.metadata).toEqual({ form: "tar", path: "d", files: 5 });
  });

  it("comes back as it was, into the workspace or a directory of inputs", async () => {
    await using bench = await openBench();
    await bench.write({ "out/bin/app": "program", "out/lib/x": "", "out/a b\nc": "odd", LICENSE: "text" });
    await fs.chmod(path.join(bench.workspace, "out/bin/app"), 0o700);
    await fs.symlink("../lib", path.join(bench.workspace, "out/bin/lib"));
    await fs.symlink("../LICENSE", path.join(bench.workspace, "out/LICENSE"));
    await fs.link(path.join(bench.workspace, "LICENSE"), path.join(bench.workspace, "out/hard"));
    await fs.mkdir(path.join(bench.workspace, "out/empty"));
    const names = ["bin/app", "lib/x", "a b\nc", "bin/lib", "LICENSE", "hard", "empty"].map(
      (name) => `out/${name}`,
    );
    const stored = await bundle(bench, names, "out");
    const expected = {
      "bin/app": "755 program",
      "bin/lib": "→ ../lib",
      "lib/x": "644 ",
      "a b\nc": "644 odd",
      LICENSE: "644 text",
      hard: "644 text",
    };
    const artifact = asInput(stored, stored.metadata, "out");
    const root = await emptyRoot(bench);
    const where = await bench.store.restore({ artifact, root, kind: "workspace" });
    expect(where).toBe(path.join(root, "out"));
    expect(await tree(path.join(root, "out"))).toEqual(expected);
    expect((await fs.stat(path.join(root, "out/empty"))).isDirectory()).toBe(true);
    expect(await bench.store.restore({ artifact, root, kind: "directory" })).toBe(path.join(root, "app"));
    expect(await tree(path.join(root, "app"))).toEqual(expected);
    expect((await fs.readdir(root)).sort()).toEqual(["app", "out"]);
  });

  it("merges into a checkout, replacing files and symlinks, never writing through them", async () => {
    await using bench = await openBench();
    await bench.write({ "dist/a": "new a", "dist/sub/b": "new b" });
    const stored = await bundle(bench, ["dist/a", "dist/sub/b"], "dist/**");
    const root = await emptyRoot(bench);
    const victim = path.join(bench.directory, "victim");
    await fs.writeFile(victim, "untouched");
    await fs.mkdir(path.join(root, "dist"));
    await fs.writeFile(path.join(root, "dist/kept"), "kept");
    await fs.chmod(path.join(root, "dist/kept"), 0o644);
    await fs.symlink(victim, path.join(root, "dist/a"));
    await bench.store.restore({ artifact: asInput(stored, stored.metadata), root, kind: "workspace" });
    expect(await tree(path.join(root, "dist"))).toEqual({
      a: "644 new a",
      kept: "644 kept",
      "sub/b": "644 new b",
    });
    expect(await fs.readFile(victim, "utf8")).toBe("untouched");
    expect(await fs.readdir(root)).toEqual(["dist"]);
  });

  it("at the workspace's root is restored there", async () => {
    await using bench = await openBench();
    await bench.write({ "a.txt": "a", "b.txt": "b" });
    const stored = await bundle(bench, ["a.txt", "b.txt"], "*.txt");
    expect(stored.metadata.path).toBe(".");
    const root = await emptyRoot(bench);
    await bench.store.restore({
      artifact: asInput(stored, stored.metadata, "*.txt"),
      root,
      kind: "workspace",
    });
    expect(await tree(root)).toEqual({ "a.txt": "644 a", "b.txt": "644 b" });
  });

  it("is refused where a symlink or file stands for its directory", async () => {
    await using bench = await openBench();
    await bench.write({ "dist/sub/b": "b" });
    const stored = await bundle(bench, ["dist/sub/b"], "dist");
    const outside = path.join(bench.directory, "outside");
    await fs.mkdir(outside);
    for (const prepare of [
      (root: string) => fs.symlink(outside, path.join(root, "dist")),
      (root: string) => fs.writeFile(path.join(root, "dist"), ""),
      async (root: string) => {
        await fs.mkdir(path.join(root, "dist"));
        await fs.symlink(outside, path.join(root, "dist/sub"));
      },
      (root: string) => fs.mkdir(path.join(root, "dist/sub/b"), { recursive: true }),
    ]) {
      const root = await emptyRoot(bench);
      await prepare(root);
      const restored = bench.store.restore({
        artifact: asInput(stored, stored.metadata),
        root,
        kind: "workspace",
      });
      await expect(restored).rejects.toMatchObject({ code: "conflict" });
      expect((await fs.readdir(root)).filter((name) => name.startsWith("."))).toEqual([]);
    }
    expect(await fs.readdir(outside)).toEqual([]);
  });

  it("brings any tree back", { timeout: 60_000 }, async () => {
    await using bench = await openBench();
    const name = fc.stringMatching(/^[a-zäß€ \n_-][a-z.0-9]{0,120}$/);
    const place = fc.array(name, { minLength: 1, maxLength: 4 }).map((segments) => segments.join("/"));
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(511, 512, 513, (1 << 20) + 1).map((size) => new Uint8Array(size).fill(7)),
    );
    let turn = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(place, content, { minKeys: 1, maxKeys: 8, noNullPrototype: true }),
        async (given) => {
          turn += 1;
          const top = `t${turn}`;
          // No name may be a file and a directory at once.
          const names = Object.keys(given).filter(
            (one) => !Object.keys(given).some((two) => two.startsWith(`${one}/`)),
          );
          await bench.write(Object.fromEntries(names.map((file) => [`${top}/${file}`, given[file] ?? ""])));
          const stored = await bundle(
            bench,
            names.map((file) => `${top}/${file}`),
            top,
          );
          const root = await emptyRoot(bench);
          await bench.store.restore({ artifact: asInput(stored, stored.metadata), root, kind: "workspace" });
          expect(await tree(path.join(root, top))).toEqual(await tree(path.join(bench.workspace, top)));
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe("a single file", () => {
  const restoreFile = async (bench: Bench, root: string, metadata: ArtifactMetadata = asFile) => {
    const artifact = asInput(await bench.putBytes(Buffer.from("program")), metadata);
    return bench.store.restore({ artifact, root, kind: "workspace" });
  };

  it("comes back with its mode, without set-user-id", async () => {
    await using bench = await openBench();
    const root = await emptyRoot(bench);
    expect(await restoreFile(bench, root, { ...asFile, mode: 0o4755 })).toBe(path.join(root, "bin/app"));
    expect((await fs.stat(path.join(root, "bin/app"))).mode & 0o7777).toBe(0o755);
    expect(await fs.readdir(path.join(root, "bin"))).toEqual(["app"]);
  });

  it("replaces a file or symlink, and leaves a directory alone", async () => {
    await using bench = await openBench();
    const root = await emptyRoot(bench);
    const victim = path.join(bench.directory, "victim");
    await fs.writeFile(victim, "untouched");
    await fs.mkdir(path.join(root, "bin"));
    await fs.symlink(victim, path.join(root, "bin/app"));
    await restoreFile(bench, root);
    expect(await tree(root)).toEqual({ "bin/app": "755 program" });
    expect(await fs.readFile(victim, "utf8")).toBe("untouched");
    await fs.rm(path.join(root, "bin/app"));
    await fs.mkdir(path.join(root, "bin/app"));
    await expect(restoreFile(bench, root)).rejects.toMatchObject({ code: "conflict" });
  });

  it("is not written through a symlinked directory, nor out of the root", async () => {
    await using bench = await openBench();
    const root = await emptyRoot(bench);
    await fs.symlink(bench.directory, path.join(root, "bin"));
    await expect(restoreFile(bench, root)).rejects.toMatchObject({ code: "conflict" });
    for (const bad of ["../x", "/etc/x", "a/../../x", ".."])
      await expect(restoreFile(bench, root, { ...asFile, path: bad })).rejects.toMatchObject({
        code: "artifact_corrupt",
      });
    expect((await fs.readdir(bench.directory)).includes("app")).toBe(false);
  });

  it("names the artifact when the root is gone", async () => {
    await using bench = await openBench();
    await expect(restoreFile(bench, path.join(bench.directory, "gone"))).rejects.toMatchObject({
      code: "storage_failed",
      message: expect.stringContaining("Artifact app"),
    });
  });

  it("in a directory of inputs lies at its name; so does the note of an image", async () => {
    await using bench = await openBench();
    const root = await emptyRoot(bench);
    const image: ArtifactMetadata = { form: "image_ref", path: null, ref: "registry.test/app:1" };
    const artifact = asInput(await bench.putBytes(Buffer.from("{}\n")), image);
    expect(await bench.store.restore({ artifact, root, kind: "workspace" })).toBeNull();
    expect(await fs.readdir(root)).toEqual([]);
    expect(await bench.store.restore({ artifact, root, kind: "directory" })).toBe(path.join(root, "app"));
    expect(await fs.readFile(path.join(root, "app"), "utf8")).toBe("{}\n");
  });

  it("leaves nothing behind when it is aborted", async () => {
    await using bench = await openBench();
    const root = await emptyRoot(bench);
    const artifact = asInput(await bench.putBytes(random(100_000)), asFile);
    const request = { artifact, root, kind: "workspace" } as const;
    await expect(bench.store.restore(request, AbortSignal.abort(new Error("enough")))).rejects.toThrow(
      "enough",
    );
    expect(await tree(root)).toEqual({});
  });
});

describe("an archive that is not ours", () => {
  const hostile = async (bench: Bench, archive: Uint8Array) => {
    const id = newId<ArtifactId>();
    const metadata: ArtifactMetadata = { form: "tar", path: "out" };
    const source = chunked(archive, 1000);
    const stored = await bench.store.put({ id, name: "app", type: "manifest", metadata, source });
    const root = await emptyRoot(bench);
    const artifact = asInput({ id, ...stored }, metadata);
    const restored = bench.store.restore({ artifact, root, kind: "workspace" });
    await expect(restored).rejects.toMatchObject({
      code: "artifact_corrupt",
      message: expect.stringContaining(id),
    });
    expect(await fs.readdir(root)).toEqual([]);
  };

  it("is refused, whatever it tries", async () => {
    await using bench = await openBench();
    const { packTar } = await import("modern-tar");
    const file = (name: string) => ({ header: { name, size: 1, type: "file" as const }, body: "x" });
    const link = (name: string, linkname: string, type: "symlink" | "link" = "symlink") => ({
      header: { name, size: 0, type, linkname },
    });
    await hostile(bench, await packTar([file("/etc/x")]));
    await hostile(bench, await packTar([file("../x")]));
    await hostile(bench, await packTar([file("a/../../x")]));
    await hostile(bench, await packTar([link("a", "/tmp"), file("a/x")]));
    await hostile(bench, await packTar([link("a", "..")]));
    await hostile(bench, await packTar([link("a", "."), file("a/x")]));
    await hostile(bench, await packTar([link("d/b", ".."), link("x", "d/b/..")]));
    await hostile(bench, await packTar([file("a"), file("a")]));
    await hostile(bench, await packTar([file("a"), link("a", "b")]));
    await hostile(bench, await packTar([file("a"), file("a/b")]));
    await hostile(bench, await packTar([file("a"), link("b", "a", "link")]));
    await hostile(bench, await packTar([{ header: { name: "f", size: 0, type: "fifo" } }]));
    await hostile(bench, await packTar([{ header: { name: "d", size: 0, type: "character-device" } }]));
    await hostile(bench, Buffer.from("not a tar at all ".repeat(100)));
    await hostile(bench, (await packTar([file("a")])).subarray(0, 700));
    expect(await fs.readdir(bench.directory)).not.toContain("x");
  });
});
