import { execFileSync } from "node:child_process";
import { lstat, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFiles, type Files } from "../../../src/cli/index.ts";

let directory: string;
let files: Files;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "shipinator-cli-"));
  files = createFiles(directory);
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

const write = async (path: string, overwrite: "never" | "replace", text: string) => {
  const file = await files.create({ path, overwrite, mode: 0o755 });
  try {
    await file.write(Buffer.from(text));
    await file.commit();
  } finally {
    await file.discard();
  }
};

describe("files", () => {
  it("reads no more than the limit", async () => {
    await writeFile(join(directory, "f"), "0123456789");
    expect(Buffer.from(await files.read("f", 4)).toString()).toBe("0123");
    expect(Buffer.from(await files.read("f", 100)).toString()).toBe("0123456789");
    expect(await files.read("/dev/zero", 1_000)).toHaveLength(1_000);
  });

  it("says in a sentence what cannot be read", async () => {
    await expect(files.read("nope", 1)).rejects.toMatchObject({
      code: "not_found",
      message: "The file or directory nope does not exist.",
    });
    await expect(files.read(".", 1)).rejects.toMatchObject({ code: "usage" });
    await expect(files.names("nope")).rejects.toMatchObject({ code: "not_found" });
    await writeFile(join(directory, "f"), "");
    await expect(files.read("f/inside", 1)).rejects.toMatchObject({ code: "not_found" });
  });

  it("tells files, directories and what is not there apart", async () => {
    await writeFile(join(directory, "f"), "");
    await symlink("nowhere", join(directory, "dangling"));
    expect(await files.kind("f")).toBe("file");
    expect(await files.kind(".")).toBe("directory");
    expect(await files.kind("/dev/null")).toBe("other");
    expect(await files.kind("dangling")).toBe("absent");
    expect(await files.kind("f/x")).toBe("absent");
    expect(await files.names(".")).toEqual(expect.arrayContaining(["f", "dangling"]));
  });

  it("writes a whole file with its mode, and nothing beside it", async () => {
    await write("app", "never", "hello");
    expect(await readFile(join(directory, "app"), "utf8")).toBe("hello");
    expect((await stat(join(directory, "app"))).mode & 0o100).toBe(0o100);
    expect(await readdir(directory)).toEqual(["app"]);
  });

  it("replaces only when told to", async () => {
    await write("app", "never", "one");
    await expect(write("app", "never", "two")).rejects.toMatchObject({ code: "conflict" });
    expect(await readFile(join(directory, "app"), "utf8")).toBe("one");
    await write("app", "replace", "two");
    expect(await readFile(join(directory, "app"), "utf8")).toBe("two");
    expect(await readdir(directory)).toEqual(["app"]);
  });

  it("puts no file in the place of a device, a pipe or a socket, told to replace or not", async () => {
    execFileSync("mkfifo", [join(directory, "pipe")]);
    await symlink("/dev/full", join(directory, "device"));
    for (const name of ["pipe", "device"])
      for (const overwrite of ["never", "replace"] as const)
        await expect(write(name, overwrite, "x")).rejects.toMatchObject({ code: "usage" });
    expect((await lstat(join(directory, "pipe"))).isFIFO()).toBe(true);
    expect((await lstat(join(directory, "device"))).isSymbolicLink()).toBe(true);
    expect((await readdir(directory)).toSorted()).toEqual(["device", "pipe"]);
  });

  it("loses nothing that somebody else wrote there meanwhile", async () => {
    const file = await files.create({ path: "app", overwrite: "never", mode: 0o644 });
    await file.write(Buffer.from("mine"));
    await writeFile(join(directory, "app"), "theirs");
    await expect(file.commit()).rejects.toMatchObject({ code: "conflict" });
    await file.discard();
    expect(await readFile(join(directory, "app"), "utf8")).toBe("theirs");
    expect(await readdir(directory)).toEqual(["app"]);
  });

  it("does not write through a dangling link", async () => {
    await symlink("elsewhere", join(directory, "app"));
    await expect(write("app", "never", "x")).rejects.toMatchObject({ code: "conflict" });
    expect(await readdir(directory)).toEqual(["app"]);
  });

  it("leaves nothing of a file that was given up", async () => {
    const file = await files.create({ path: "app", overwrite: "never", mode: 0o644 });
    await file.write(Buffer.from("half"));
    await file.discard();
    await file.discard();
    expect(await readdir(directory)).toEqual([]);
  });

  it("says where it cannot write", async () => {
    await expect(write("no/such/app", "never", "x")).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("does not exist"),
    });
    await expect(write("/dev/full/x", "never", "x")).rejects.toMatchObject({ code: "usage" });
  });
});
