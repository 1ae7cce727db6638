/** Real git repositories in a temporary directory, and a source room beside them. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { silentLogger, systemClock } from "../../../src/kernel/index.ts";
import { createSource, type Source, type SourceOptions } from "../../../src/source/index.ts";

export interface Place extends AsyncDisposable {
  readonly path: string;
  /** What git in tests and in the room is given; HOME is inside the place. */
  readonly environment: Record<string, string>;
  readonly mirrors: string;
  readonly source: Source;
  open(options?: Partial<SourceOptions>): Source;
  git(directory: string, ...args: string[]): string;
  /** A repository with these files committed on `main`. */
  repository(name: string, files?: Record<string, string>): string;
}

export function makePlace(): Place {
  const path = mkdtempSync(join(tmpdir(), "shipinator-source-"));
  const home = join(path, "home");
  mkdirSync(home);
  writeFileSync(
    join(home, ".gitconfig"),
    "[user]\n\tname = Test\n\temail = test@example.test\n[init]\n\tdefaultBranch = main\n",
  );
  const environment = {
    PATH: process.env.PATH ?? "",
    HOME: home,
    LC_ALL: "C.UTF-8",
    GIT_CONFIG_NOSYSTEM: "1",
  };
  const mirrors = join(path, "data", "mirrors");
  const opened: Source[] = [];
  const open = (options: Partial<SourceOptions> = {}) => {
    const source = createSource({
      directory: mirrors,
      environment,
      config: "person",
      urls: { allowLocal: true, allowHttp: true },
      clock: systemClock,
      log: silentLogger,
      ...options,
    });
    opened.push(source);
    return source;
  };
  const git = (directory: string, ...args: string[]) =>
    execFileSync("git", args, { cwd: directory, env: environment, encoding: "utf8", stdio: "pipe" }).trim();
  return {
    path,
    environment,
    mirrors,
    source: open(),
    open,
    git,
    repository(name, files = { "README.md": "hello\n" }) {
      const directory = join(path, name);
      mkdirSync(directory, { recursive: true });
      git(directory, "init", "--quiet");
      writeFiles(directory, files);
      if (Object.keys(files).length > 0) commitAll(this, directory, "first");
      return directory;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map((source) => source[Symbol.asyncDispose]()));
      unlock(path);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

export function writeFiles(directory: string, files: Record<string, string | Buffer>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
}

export function commitAll(place: Pick<Place, "git">, directory: string, message: string): string {
  place.git(directory, "add", "--all");
  place.git(directory, "commit", "--quiet", "--message", message);
  return place.git(directory, "rev-parse", "HEAD");
}

/** Path (bytes as latin1) → kind, executable bit and content, of everything but a `.git` at the top. */
export function filesOf(directory: string): Record<string, string> {
  const found: Record<string, string> = {};
  const walk = (folder: Buffer, prefix: string) => {
    for (const name of readdirSync(folder, { encoding: "buffer" })) {
      const relative = prefix + name.toString("latin1");
      if (relative === ".git") continue;
      const file = Buffer.concat([folder, Buffer.from("/"), name]);
      const stat = lstatSync(file);
      if (stat.isDirectory()) walk(file, `${relative}/`);
      else if (stat.isSymbolicLink()) found[relative] = `-> ${readlinkSync(file, "latin1")}`;
      else found[relative] = `${(stat.mode & 0o111) === 0 ? "file" : "exec"} ${readFileSync(file, "latin1")}`;
    }
  };
  walk(Buffer.from(directory), "");
  return found;
}

/** Every file of a repository's `.git` with its bytes: equal before and after means nothing was written. */
export function gitBytes(repository: string): Record<string, string> {
  return filesOf(join(repository, ".git"));
}

/** Runs a child with input and waits; resolves with its stdout. */
export function gitInput(place: Place, directory: string, args: string[], input: string | Buffer): string {
  return execFileSync("git", args, {
    cwd: directory,
    env: place.environment,
    input,
    encoding: "utf8",
    stdio: "pipe",
  }).trim();
}

/** A directory made unreadable by a test must not outlive it. */
function unlock(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    chmodSync(join(directory, entry.name), 0o700);
    unlock(join(directory, entry.name));
  }
}
