import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Problem } from "../../../src/kernel/index.ts";
import { socketDirectory } from "../../../src/store/embedded/socket-directory.ts";
import {
  isRoot,
  layoutOf,
  newDirectory,
  ordinaryAccount,
  serverOf,
  startHere,
  startHolder,
  usedDirectory,
} from "./processes.ts";

/** What a person would read; nothing may run afterwards. */
async function refusal(directory: string, changes: { user?: string } = {}): Promise<Problem> {
  const outcome = await startHere(directory, changes).then(
    async (server) => {
      await server.stop();
      return undefined;
    },
    (error: Problem) => error,
  );
  expect(outcome).toMatchObject({ name: "Problem", remedy: expect.stringMatching(/\.$/) });
  if (outcome === undefined) throw new Error("it started");
  expect(outcome.message).toMatch(/\.$/);
  expect(outcome.message).not.toContain("\n");
  return outcome;
}

describe("a data directory that cannot be used", () => {
  it("a file, or below a file", async () => {
    const file = join(await newDirectory(), "file");
    writeFileSync(file, "");
    for (const path of [file, join(file, "below")]) {
      const problem = await refusal(path);
      expect(problem.code).toBe("data_dir_unusable");
      expect(problem.message).toContain("is a file, not a directory");
    }
  });

  it.each(["relative/path", "/tmp/two\nlines"])("named %j", async (path) => {
    expect((await refusal(path)).message).toContain("absolute path without line breaks");
  });

  it("where this user has no rights", async () => {
    const parent = await newDirectory();
    chmodSync(parent, 0o555);
    // Root has rights everywhere but in the kernel's own file systems.
    const problem = await refusal(isRoot ? "/proc/self/shipinator" : join(parent, "data"));
    expect(problem.code).toBe("data_dir_unusable");
    chmodSync(parent, 0o755);
  });

  it("to which everybody may write", async () => {
    const directory = await newDirectory();
    chmodSync(directory, 0o777);
    expect((await refusal(directory)).remedy).toContain("chmod o-w");
  });

  it("whose database is a link to somewhere else", async () => {
    const directory = await newDirectory();
    symlinkSync(await newDirectory(), join(directory, "postgres"));
    expect((await refusal(directory)).message).toContain("is not a directory");
  });

  it.each(["17", "19"])("whose database is of Postgres %s", async (major) => {
    const directory = await usedDirectory();
    writeFileSync(join(layoutOf(directory).data, "PG_VERSION"), `${major}\n`);
    const problem = await refusal(directory);
    expect(problem.code).toBe("data_dir_unusable");
    expect(problem.message).toContain(`made by Postgres ${major}, and this program brings 18`);
    expect(problem.remedy).toContain("back up");
  });

  it("whose database is damaged: the server's own words, and its log", async () => {
    const directory = await usedDirectory();
    const { data, logFile } = layoutOf(directory);
    renameSync(join(data, "global/pg_control"), join(data, "global/pg_control.gone"));
    const problem = await refusal(directory);
    expect(problem.code).toBe("database_unavailable");
    expect(problem.message).toContain("pg_control");
    expect(problem.place).toBe(logFile);
    expect(serverOf(directory)).toBeUndefined();
  });

  it("whose password was lost or replaced", async () => {
    const directory = await usedDirectory();
    const password = join(layoutOf(directory).data, "password");
    const kept = readFileSync(password);
    writeFileSync(password, "another one\n");
    expect((await refusal(directory)).message).toContain("password authentication failed");
    writeFileSync(password, kept);
    const server = await startHere(directory);
    expect(server.facts.started).toBe(false);
    await server.stop();
    expect(serverOf(directory)).toBeUndefined();
  });
});

describe("the socket's directory in /tmp", () => {
  it.each(["a link", "open to others", "a file"])(
    "is refused when somebody was there first: %s",
    async (what) => {
      const directory = join(await newDirectory(), "a".repeat(100));
      const layout = layoutOf(directory);
      const uid = isRoot ? accountOfRoot() : (process.getuid?.() ?? -1);
      const place = socketDirectory(layout, { name: "", uid, gid: uid, identity: {} });
      expect(place).toMatch(/^\/tmp\/shipinator-\d+-[0-9a-f]{16}$/);
      if (what === "a link") symlinkSync(await newDirectory(), place);
      if (what === "a file") writeFileSync(place, "");
      if (what === "open to others") mkdirSync(place, { mode: 0o755 });
      await using stack = new AsyncDisposableStack();
      stack.defer(() => rmSync(place, { recursive: true, force: true }));
      const problem = await refusal(directory);
      expect(problem.code).toBe("environment");
      expect(problem.message).toContain("somebody else could stand in for the database");
      expect(problem.remedy).toContain(place);
    },
  );
});

/** The account that the server picks for root. */
function accountOfRoot(): number {
  const passwd = readFileSync("/etc/passwd", "utf8");
  const line = /^postgres:.*$/m.exec(passwd) ?? /^nobody:.*$/m.exec(passwd);
  return Number(line?.[0].split(":")[2]);
}

/** What only root can stage is staged by root; an ordinary user's run holds the same code to the other cases. */
const staged: Record<string, () => Promise<void>> = {
  "root is told when the account does not exist": async () => {
    const problem = await refusal(await newDirectory(), { user: "no-such-account" });
    expect(problem.code).toBe("environment");
    expect(problem.remedy).toContain("SHIPINATOR_EMBEDDED_USER");
  },
  "root is told that Postgres does not run as root": async () => {
    expect((await refusal(await newDirectory(), { user: "root" })).message).toContain(
      "refuses to run as root",
    );
  },
  "root is told when the database belongs to another account than the one named": async () => {
    const directory = await usedDirectory();
    chownSync(layoutOf(directory).data, 12345, 12345);
    const problem = await refusal(directory, { user: "nobody" });
    expect(problem.message).toContain("belongs to uid 12345");
  },
  "root does not work in a directory of somebody else's": async () => {
    const directory = await newDirectory();
    chownSync(directory, 12345, 12345);
    expect((await refusal(directory)).message).toContain("belongs to uid 12345");
  },
  "root is told which directory its account cannot pass": async () => {
    const parent = await newDirectory();
    chmodSync(parent, 0o700);
    const problem = await refusal(join(parent, "data"));
    expect(problem.message).toContain(`may not pass through ${parent}`);
    expect(problem.remedy).toContain(`chmod o+x ${parent}`);
  },
  "a user who has no account is told so": async () => {
    if (ordinaryAccount() === undefined) return;
    const directory = await newDirectory();
    chownSync(directory, 12345, 12345);
    const holder = startHolder(directory, { as: { uid: 12345, gid: 12345 } });
    const { problem } = await holder.answer();
    expect(problem).toMatchObject({ code: "environment" });
    expect(problem?.message).toContain("uid 12345 has no entry in /etc/passwd");
  },
  "a user is told that the database is another's": async () => {
    const account = ordinaryAccount();
    if (account === undefined) return;
    const holder = startHolder(await usedDirectory(), { as: account });
    expect((await holder.answer()).problem).toMatchObject({ code: "data_dir_unusable" });
  },
};

describe.runIf(isRoot)("as root", () => {
  it.each(Object.keys(staged))("%s", async (name) => {
    await staged[name]?.();
  });
});
