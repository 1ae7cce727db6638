/** A `.git` that git cannot use is an error that names it: read as "no Git", ignored files would travel. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makePlace, type Place, writeFiles } from "./repositories.ts";

let place: Place;

beforeEach(() => {
  place = makePlace();
});
afterEach(() => place[Symbol.asyncDispose]());

const repositoryId = "0198c0de-0000-7000-8000-000000000007";
const snapshot = (directory: string) => place.source.snapshotWorkingTree({ repositoryId, directory });

function repository(name: string): string {
  const directory = place.repository(name, { ".gitignore": ".env\n", "sub/a": "a\n" });
  writeFiles(directory, { ".env": "PASSWORD=1\n" });
  return directory;
}

const replaced = (put: (git: string) => void) => (git: string) => {
  rmSync(git, { recursive: true });
  put(git);
};

const named = (path: string) => ({
  code: expect.stringMatching(/^source_/),
  message: expect.stringContaining(path),
});

describe("a .git that git cannot use", () => {
  it.each<[string, (git: string) => void]>([
    ["without HEAD", (git) => rmSync(join(git, "HEAD"))],
    ["without objects", (git) => rmSync(join(git, "objects"), { recursive: true })],
    ["an empty directory", replaced((git) => mkdirSync(git))],
    ["an empty file", replaced((git) => writeFileSync(git, ""))],
    ["a dangling link", replaced((git) => symlinkSync("/nowhere", git))],
  ])("is named: %s", async (_, breaks) => {
    const directory = repository("app");
    breaks(join(directory, ".git"));
    await expect(snapshot(directory)).rejects.toMatchObject(named(join(directory, ".git")));
    await expect(snapshot(join(directory, "sub"))).rejects.toMatchObject(named(join(directory, ".git")));
    const commit = place.source.snapshotCommit({ repositoryId, directory, ref: "main" });
    await expect(commit).rejects.toMatchObject(named(join(directory, ".git")));
  });

  it("is named also where its configuration cannot be read", async () => {
    const directory = repository("app");
    writeFileSync(join(directory, ".git/config"), "[core\n");
    await expect(snapshot(directory)).rejects.toMatchObject({
      code: "source_unavailable",
      message: expect.stringMatching(/bad config line 1 in file/),
    });
  });

  it("is named with the repository that a worktree misses", async () => {
    const directory = repository("app");
    const linked = join(place.path, "linked");
    place.git(directory, "worktree", "add", "--quiet", "-b", "side", linked);
    renameSync(directory, join(place.path, "moved"));
    await expect(snapshot(linked)).rejects.toMatchObject({
      ...named(join(linked, ".git")),
      message: expect.stringContaining(JSON.stringify(join(directory, ".git/worktrees/linked"))),
      remedy: expect.stringMatching(/git worktree repair/),
    });
  });

  it("is named inside a larger repository, which git takes in its stead", async () => {
    const top = place.repository("mono", { ".gitignore": "", "app/a": "a\n" });
    writeFiles(top, { "app/.git/info/exclude": ".env\n", "app/.env": "PASSWORD=1\n", "app/deep/b": "b\n" });
    await expect(snapshot(join(top, "app"))).rejects.toMatchObject(named(join(top, "app/.git")));
    await expect(snapshot(join(top, "app/deep"))).rejects.toMatchObject(named(join(top, "app/.git")));
  });
});

it("a directory of a repository whose work tree is set elsewhere is read as git reads it", async () => {
  const directory = place.repository("app", { "sub/a": "a\n" });
  place.git(directory, "config", "core.worktree", place.path);
  place.git(directory, "read-tree", "--prefix=app/", "HEAD");
  expect(await snapshot(join(directory, "sub"))).toMatchObject({ subpath: "app/sub" });
});

it("a repository of another user's is named, with the command that trusts it", async () => {
  const directory = place.repository("a'pp", { "sub/a": "a\n" });
  const script = join(place.path, "git-other-owner");
  const environment = "GIT_CONFIG_NOSYSTEM=1 GIT_TEST_ASSUME_DIFFERENT_OWNER=1";
  writeFileSync(script, `#!/bin/sh\n${environment} exec git "$@"\n`, { mode: 0o755 });
  const source = place.open({ git: script });
  const asked = source.snapshotWorkingTree({ repositoryId, directory: join(directory, "sub") });
  await expect(asked).rejects.toMatchObject({
    code: "source_refused",
    remedy: expect.stringContaining(`safe.directory '${directory.replace("'", "'\\''")}'`),
  });
});
