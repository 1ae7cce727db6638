/**
 * Paths below the data directory, and the checks that it can be used. `<dataDir>/postgres` belongs to
 * the server; inside it `data` (and the socket) belong to the account that Postgres runs under, which must be able to
 * walk there: as root the two directories above it get mode 0711, everything else keeps its own.
 */
import { chmodSync, lstatSync, realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { errorCode, errorMessage, makeDirectory, Problem } from "../kernel/index.ts";
import type { Account } from "./account.ts";

export interface Layout {
  /** The data directory of the whole program, resolved. */
  readonly dataDir: string;
  /** `<dataDir>/postgres`. */
  readonly home: string;
  /** PGDATA. */
  readonly data: string;
  readonly logFile: string;
  readonly ownerFile: string;
}

/** Facts of the process, which only `main` may read. */
export interface Environment {
  readonly uid: number;
  readonly gid: number;
  /** `process.kill`. */
  readonly kill: (pid: number, signal: "SIGINT" | "SIGQUIT" | 0) => unknown;
}

const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;

/** Makes the directories when they are absent. Problems: `data_dir_unusable`. */
export function prepareLayout(dataDir: string, environment: Environment): Layout {
  if (!isAbsolute(dataDir) || dataDir.includes("\n")) {
    throw unusable(JSON.stringify(dataDir), "its name must be an absolute path without line breaks");
  }
  const mode = environment.uid === 0 ? 0o711 : 0o700;
  const real = orUnusable(dataDir, () => {
    makeDirectory(dataDir, mode);
    return realpathSync(dataDir);
  });
  const stat = statSync(real);
  if (environment.uid === 0 && stat.uid !== 0) {
    throw unusable(real, `it belongs to uid ${stat.uid}, who could lead root astray in it`, {
      remedy: "Run as that user, or name a directory of root's with SHIPINATOR_DATA_DIR.",
    });
  }
  if ((stat.mode & OTHERS_WRITE) !== 0 && (stat.mode & STICKY) === 0) {
    throw unusable(real, "everybody may write to it", { remedy: `Run \`chmod o-w ${real}\`.` });
  }
  const home = join(real, "postgres");
  orUnusable(home, () => makeDirectory(home, mode));
  const homeStat = lstatSync(home);
  if (!homeStat.isDirectory()) throw unusable(home, "it is not a directory");
  if (homeStat.uid !== environment.uid) {
    throw unusable(
      home,
      `it belongs to uid ${homeStat.uid}, and this program runs as uid ${environment.uid}`,
      {
        remedy: "Run as that user, or choose another directory with SHIPINATOR_DATA_DIR.",
      },
    );
  }
  return {
    dataDir: real,
    home,
    data: join(home, "data"),
    logFile: join(home, "postgres.log"),
    ownerFile: join(real, "owner.json"),
  };
}

/** Lets the account walk to PGDATA: opens what is ours, and says what to do about the rest. */
export function openPath(layout: Layout, account: Account): void {
  for (const directory of [layout.home, layout.dataDir]) {
    const stat = statSync(directory);
    if (!mayEnter(stat, account)) chmodSync(directory, (stat.mode & 0o777) | 0o011);
  }
  const closed = closedAncestor(layout.dataDir, account);
  if (closed === undefined) return;
  throw unusable(layout.dataDir, `Postgres runs as "${account.name}", who may not pass through ${closed}`, {
    remedy: `Choose a directory elsewhere with SHIPINATOR_DATA_DIR, or run \`chmod o+x ${closed}\`.`,
  });
}

/** The nearest directory above `path` that the account may not walk through. */
export function closedAncestor(path: string, account: Account): string | undefined {
  for (let directory = dirname(path); ; directory = dirname(directory)) {
    if (!mayEnter(statSync(directory), account)) return directory;
    if (directory === dirname(directory)) return undefined;
  }
}

interface Ownership {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export function mayEnter(stat: Ownership, account: Account): boolean {
  return granted(stat, account, 0o1);
}

export function mayRead(stat: Ownership, account: Account): boolean {
  return granted(stat, account, 0o4);
}

function granted(stat: Ownership, account: Account, right: number): boolean {
  if (stat.uid === account.uid) return (stat.mode & (right << 6)) !== 0;
  if (stat.gid === account.gid) return (stat.mode & (right << 3)) !== 0;
  return (stat.mode & right) !== 0;
}

export function unusable(
  path: string,
  why: string,
  options: { remedy?: string; cause?: unknown } = {},
): Problem {
  return new Problem("data_dir_unusable", `The data directory ${path} cannot be used: ${why}.`, {
    remedy: "Choose another directory with SHIPINATOR_DATA_DIR.",
    ...options,
  });
}

/** Runs a piece of filesystem work and turns its failure into one sentence about the data directory. */
export function orUnusable<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw unusable(path, reasonOf(error), { cause: error });
  }
}

export function reasonOf(error: unknown): string {
  switch (errorCode(error)) {
    case "EACCES":
    case "EPERM":
      return "this user has no right to write there";
    case "EROFS":
      return "its file system is read-only";
    case "ENOSPC":
      return "its disk is full";
    case "EDQUOT":
      return "the disk quota is used up";
    case "ENOENT":
      return "a directory on the way to it does not exist and cannot be made";
    case "ENOTDIR":
    case "EEXIST":
      return "a part of the path is a file, not a directory";
    case "ENAMETOOLONG":
      return "its path is too long";
    default:
      return errorMessage(error);
  }
}
