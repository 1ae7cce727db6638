/** Whose files a run sees: a directory as it is, a commit of it, a repository by its address. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunDetail } from "../../../src/services/index.ts";
import { World } from "../../support/cli.ts";

let world: World;
beforeAll(async () => {
  world = await World.prepared();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const show = (script: string) => `build:\n  steps:\n    - name: show\n      run: |\n        ${script}\n`;
const listing = show("find . -name .git -prune -o '(' -type f -o -type l ')' -print | sort");

/** Runs to success. */
async function seen(...argv: string[]): Promise<{ readonly files: string; readonly run: RunDetail }> {
  const { code, run, view, log } = await world.run(argv);
  expect({ code, view: code === 0 ? "" : view }).toEqual({ code: 0, view: "" });
  return { files: log("build/show"), run };
}

describe("run DIRECTORY", () => {
  it("takes tracked and untracked files as they are, leaves ignored ones, and leaves the index alone", async () => {
    const repository = world.repository("dirty", {
      ".shipinator.yaml": listing,
      ".gitignore": "ignored\n",
      "src/kept.txt": "1",
      gone: "x",
    });
    writeFileSync(join(repository, "staged"), "s");
    world.git(repository, "add", "staged");
    writeFileSync(join(repository, "untracked"), "u");
    writeFileSync(join(repository, "ignored"), "i");
    world.git(repository, "rm", "--quiet", "--cached", "src/kept.txt");
    world.git(repository, "rm", "--quiet", "gone");
    const index = readFileSync(join(repository, ".git/index"));
    const state = world.git(repository, "status", "--porcelain");

    const { files, run } = await seen(repository);
    expect(files.split("\n")).toEqual([
      "./.gitignore",
      "./.shipinator.yaml",
      "./src/kept.txt",
      "./staged",
      "./untracked",
      "",
    ]);
    expect(readFileSync(join(repository, ".git/index")).equals(index)).toBe(true);
    expect(world.git(repository, "status", "--porcelain")).toBe(state);
    expect(run).toMatchObject({
      dirty: true,
      git_ref: expect.stringMatching(/main$/),
      git_sha: world.git(repository, "rev-parse", "HEAD"),
      subpath: null,
    });
  });

  it("says that the tree is dirty, and not when it is clean", async () => {
    const repository = world.repository("clean", { ".shipinator.yaml": listing });
    const clean = await world.run([repository]);
    expect(clean.view).not.toContain("note:");
    expect(clean.run.dirty).toBe(false);
    writeFileSync(join(repository, "more"), "");
    const dirty = await world.run([repository]);
    expect(dirty.view).toMatch(/note: the working tree differs from [0-9a-f]{12}/);
  });

  it("is the workspace's root inside a larger repository", async () => {
    const repository = world.repository("larger", {
      "outside.txt": "never seen",
      "services/one/.shipinator.yaml": listing,
      "services/one/main": "1",
    });
    const directory = join(repository, "services/one");
    const { files, run } = await seen(directory);
    expect(files).toBe("./.shipinator.yaml\n./main\n");
    expect(run).toMatchObject({
      subpath: "services/one",
      git_sha: world.git(repository, "rev-parse", "HEAD"),
      dirty: false,
      project: "one",
    });
    // The same from inside, with no argument at all.
    expect((await world.run([], { cwd: directory })).run.subpath).toBe("services/one");
  });

  it("--ref takes that commit, whatever lies in the directory", async () => {
    const repository = world.repository("history", { ".shipinator.yaml": listing, old: "1" });
    const old = world.git(repository, "rev-parse", "HEAD");
    world.git(repository, "tag", "--annotate", "v1.2", "--message", "release");
    world.git(repository, "rm", "--quiet", "old");
    world.commit(repository, "second");
    writeFileSync(join(repository, "untracked"), "");
    for (const ref of ["v1.2", old.slice(0, 10)]) {
      expect(await seen(repository, "--ref", ref)).toMatchObject({
        files: "./.shipinator.yaml\n./old\n",
        run: { git_sha: old, dirty: false },
      });
    }
    expect((await seen(repository, "--ref", "main")).files).toBe("./.shipinator.yaml\n");
  });

  it("takes everything where there is no git, and git_sha is null", async () => {
    const directory = world.directory("plain", {
      ".shipinator.yaml": listing,
      ".gitignore": "a\n",
      a: "1",
      "deep/b": "2",
    });
    symlinkSync("deep/b", join(directory, "link"));
    const { files, run } = await seen(directory);
    expect(files).toContain("./deep/b\n./link\n");
    expect(run).toMatchObject({ git_sha: null, git_ref: null });
  });

  it("takes the files of a repository without a commit", async () => {
    const directory = world.directory("newborn", { ".shipinator.yaml": listing, a: "1" });
    world.git(directory, "init", "--quiet");
    expect(await seen(directory)).toMatchObject({
      files: "./.shipinator.yaml\n./a\n",
      run: { git_sha: null },
    });
  });

  it("keeps modes, links and names as they are, and follows no link out of the workspace", async () => {
    const name = "a name with 'quotes' and ünïcode";
    const repository = world.directory("names", {
      ".shipinator.yaml": `${show(`./script && readlink link && cat "${name}"`)}      outputs: [{ type: binary, name: link, path: link }]\n`,
      script: "#!/bin/sh\necho ran\n",
      [name]: "text\n",
    });
    symlinkSync("/etc/hostname", join(repository, "link"));
    world.git(repository, "init", "--quiet");
    world.git(repository, "add", "--all");
    world.git(repository, "update-index", "--chmod=+x", "script");
    world.git(repository, "commit", "--quiet", "--message", "first");
    world.git(repository, "checkout", "--quiet", "--force", "HEAD", "--", ".");
    const { code, view, log } = await world.run([repository]);
    expect(log("build/show")).toBe("ran\n/etc/hostname\ntext\n");
    // An output that is a link to a file of the machine is no output.
    expect(code).toBe(1);
    expect(view).toContain("artifact_missing");
  });

  it("a branch named like a command harms nobody", async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell would expand it
    const branch = "$(touch${IFS}pwned);`touch${IFS}pwned`";
    const script = 'printf "%s\\n" "$SHIPINATOR_BRANCH" "$LABEL"; ls';
    const repository = world.repository("branch", {
      ".shipinator.yaml": `${show(script)}      env: { LABEL: "on {{ .branch }}" }\n`,
    });
    world.git(repository, "checkout", "--quiet", "-b", branch);
    expect((await seen(repository)).files).toBe(`${branch}\non ${branch}\n`);
  });
});

describe("run ADDRESS", () => {
  it("refuses file:// unless the server's configuration allows it; then takes the tag that is asked for", async () => {
    const repository = world.repository("remote", { ".shipinator.yaml": listing, one: "1" });
    const old = world.git(repository, "rev-parse", "HEAD");
    world.git(repository, "tag", "v1.2");
    writeFileSync(join(repository, "two"), "");
    const head = world.commit(repository, "second");
    const address = `file://${repository}`;

    const refused = await world.shipinator(["run", address, "--ref", "v1.2"]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/^error: [^\n]*file:/);
    expect(refused.stderr).toContain("SHIPINATOR_GIT_ALLOW_FILE_URLS");

    const env = { SHIPINATOR_GIT_ALLOW_FILE_URLS: "true" };
    const tagged = await world.run([address, "--ref", "v1.2"], { env });
    expect(tagged.log("build/show")).toBe("./.shipinator.yaml\n./one\n");
    expect(tagged.run).toMatchObject({
      status: "success",
      git_sha: old,
      dirty: false,
      clone_url: address,
      project: "remote",
    });
    expect((await world.run([address], { env })).run).toMatchObject({
      status: "success",
      git_sha: head,
      number: 2,
    });
  });

  it("refuses what is no address, or one that would run something, and makes no run", async () => {
    const runs = (await world.shipinator(["list", "-o", "json"])).stdout;
    const addresses = [
      "ext::sh -c 'touch pwned'",
      "fd::17/foo",
      "--upload-pack=touch pwned",
      "http://user:secret-word@127.0.0.1:1/repo.git",
      "-oProxyCommand=touch",
    ];
    for (const address of addresses) {
      const { code, stderr } = await world.shipinator(["run", "--", address]);
      expect({ address, code }).toEqual({ address, code: 2 });
      expect(stderr).toMatch(/^error: \S/);
      expect(stderr).not.toContain("secret-word");
      expect(stderr).not.toMatch(/^\s+at .*\.[tj]s:\d/m);
    }
    expect((await world.shipinator(["list", "-o", "json"])).stdout).toBe(runs);
  });
});

it("submodules are said to be left out", async () => {
  const inner = world.repository("inner", { a: "1" });
  const outer = world.repository("outer", { ".shipinator.yaml": listing });
  world.git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner, "modules/inner");
  world.commit(outer, "with a submodule");
  mkdirSync(join(outer, "modules/inner"), { recursive: true });
  const { code, stdout } = await world.shipinator(["run", outer]);
  expect(code).toBe(0);
  expect(stdout).toContain("note: submodules are not fetched");
});

it("submodules that the file asks for are fetched, and nothing says otherwise", async () => {
  const inner = world.repository("wanted", { "from-inner": "1" });
  const outer = world.repository("wanting", { ".shipinator.yaml": `submodules: true\n${listing}` });
  const url = `file://${inner}`;
  world.git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, "modules/wanted");
  world.commit(outer, "with a submodule");
  const env = { SHIPINATOR_GIT_ALLOW_FILE_URLS: "true" };
  const { code, stdout } = await world.shipinator(["run", outer], { env });
  expect(code).toBe(0);
  expect(stdout).toContain("modules/wanted/from-inner");
  expect(stdout).not.toContain("submodules are not fetched");
});
