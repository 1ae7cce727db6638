import { describe, expect, it } from "vitest";
import { explainGit } from "../../../src/source/git/problem.ts";
import { chooseCommit, parseRemote } from "../../../src/source/git/remote.ts";
import { quotePath } from "../../../src/source/mirror/mirror.ts";
import { parseListing } from "../../../src/source/worktree/listing.ts";

const a = "a".repeat(40);
const b = "b".repeat(40);
const c = "c".repeat(40);

describe("what git says on stderr", () => {
  it.each([
    ["fatal: detected dubious ownership in repository at '/x'", "source_refused", /another user/],
    ["fatal: transport 'file' not allowed", "source_refused", /protocol/i],
    ["error: unable to write file a: No space left on device", "storage_failed", /disk is full/],
    [
      "fatal: could not read Username for 'https://h': terminal prompts disabled",
      "source_unavailable",
      /credentials/,
    ],
    [
      "fatal: unable to access 'https://h/': The requested URL returned error: 403",
      "source_unavailable",
      /credentials/,
    ],
    [
      "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.",
      "source_unavailable",
      /ssh/,
    ],
    ["fatal: unable to access 'https://h/': Could not resolve host: h", "source_unavailable", /name service/],
    [
      "fatal: unable to access 'https://h/': Failed to connect to h port 1: Connection refused",
      "source_unavailable",
      /cannot be reached/,
    ],
    [
      "remote: Repository not found.\nfatal: repository 'https://h/x/' not found",
      "source_refused",
      /no git repository at/,
    ],
    ["fatal: '/x' does not appear to be a git repository", "source_refused", /no git repository at/],
    ["error: unknown option `end-of-options'\nusage: git fetch", "environment", /too old/],
    ["fatal: something new\nsecond line", "source_unavailable", /something new/],
    ["", "source_unavailable", /status 128/],
  ])("%j", (stderr, code, message) => {
    const problem = explainGit({ stderr, code: 128 }, '"X"');
    expect(problem.code).toBe(code);
    expect(problem.message).toMatch(message);
    expect(problem.message).not.toMatch(/[\n\p{Cc}]/u);
  });

  it.each([
    "fatal: could not read Password for 'https://s3cret@h': terminal prompts disabled",
    "fatal: unable to access 'https://me:s3/cret@h/x/': something new",
    "fatal: cannot use ssh://me:s3cret@h/x",
  ])("shows no user name or token of an address: %j", (stderr) => {
    const problem = explainGit({ stderr, code: 128 }, '"X"');
    expect(JSON.stringify([problem.message, problem.details])).not.toMatch(/s3|cret/);
  });

  it("is stripped of what moves a cursor, and bounded", () => {
    const problem = explainGit({ stderr: `fatal: a\u001b[2Jb ${"x".repeat(5000)}`, code: 1 }, '"X"');
    expect(problem.message).not.toContain("\u001b");
    expect(problem.message.length).toBeLessThan(400);
  });
});

describe("ls-remote", () => {
  const text = `ref: refs/heads/main\tHEAD\n${a}\tHEAD\n${a}\trefs/heads/main\n${b}\trefs/heads/v1\n${c}\trefs/tags/v1\n${b}\trefs/tags/v2\n${a}\trefs/tags/v2^{}\n`;
  const remote = parseRemote(text);

  it.each([
    [null, a, "refs/heads/main"],
    ["HEAD", a, "refs/heads/main"],
    ["main", a, "refs/heads/main"],
    ["v1", b, "refs/heads/v1"],
    ["tags/v1", c, "refs/tags/v1"],
    ["refs/tags/v1", c, "refs/tags/v1"],
    ["v2", a, "refs/tags/v2"],
    [c.toUpperCase(), c, null],
    ["ccccccc", c, null],
  ])("%s", (ref, commit, name) => {
    expect(chooseCommit(remote, ref, "u")).toEqual({ commit, ref: name });
  });

  it("without what is asked", () => {
    expect(() => chooseCommit(remote, "mainn", "u")).toThrow(
      expect.objectContaining({ code: "ref_not_found" }),
    );
    expect(() => chooseCommit(remote, "ddddddd", "u")).toThrow(/ddddddd/);
    expect(() => chooseCommit(parseRemote(""), null, "u")).toThrow(/no commits yet/);
    expect(() => chooseCommit(parseRemote(""), "main", "u")).toThrow(/no commits yet/);
    expect(() => chooseCommit(parseRemote(`${a}\trefs/heads/x\n`), null, "u")).toThrow(
      /HEAD .* names no branch/,
    );
  });
});

describe("ls-files", () => {
  it("is read as bytes; a path has tabs, line ends and non-UTF-8 as it likes", () => {
    const output = Buffer.concat([
      Buffer.from(
        `H 100644 ${a} 0\ta\tb\nc\0H 160000 ${b} 0\tsub\0? un\0? nested/\0M 100644 ${a} 2\tboth\0M 100644 ${b} 3\tboth\0? `,
      ),
      Buffer.from([0xff, 0x00]),
    ]);
    const { files, gitlinks, untracked } = parseListing(output);
    expect([...files]).toEqual(["a\tb\nc", "un", "both", "\u00ff"]);
    expect([...gitlinks]).toEqual([
      ["sub", b],
      ["nested", null],
    ]);
    expect([...untracked]).toEqual(["un", "nested", "\u00ff"]);
  });
});

describe("a path among alternates", () => {
  it.each([
    ["/plain/path", "/plain/path"],
    ["/a:b", '"/a:b"'],
    ['/a"b\\c', '"/a\\"b\\\\c"'],
    ["/a\nb", '"/a\\nb"'],
    ["/#a", '"/#a"'],
  ])("%j", (path, quoted) => {
    expect(quotePath(path)).toBe(quoted);
  });
});
