/** Puts the room together. */
import { mkdir } from "node:fs/promises";
import { resolve as absolute } from "node:path";
import { type Clock, type Logger, shellQuote } from "../kernel/index.ts";
import { archive } from "./checkout/archive.ts";
import { borrowed } from "./checkout/borrow.ts";
import { checkout } from "./checkout/checkout.ts";
import type { Limits, Room } from "./deps.ts";
import { createMemo } from "./git/cache.ts";
import type { Credentials } from "./git/credential.ts";
import { createGit } from "./git/git.ts";
import { allowedProtocols } from "./git/url.ts";
import { pointersOf } from "./lfs/pointers.ts";
import { formatOf, mirrorAt, unusable } from "./mirror/mirror.ts";
import { readFileAt } from "./mirror/read-file.ts";
import { tidyMirrors } from "./mirror/repack.ts";
import { resolveSource } from "./mirror/resolve.ts";
import type { Source, UrlPolicy } from "./types.ts";
import { snapshotCommit } from "./worktree/local-commit.ts";
import { snapshotWorkingTree } from "./worktree/working-tree.ts";

export interface SourceOptions {
  /** Absolute; mirrors live in `<directory>/<repositoryId>.git`. Created 0700 at first use. */
  readonly directory: string;
  /** The program, default `git` from the environment's PATH. */
  readonly git?: string;
  /** What git is given: PATH, HOME, proxies, SSH_AUTH_SOCK. GIT_* other than transport and trust are dropped. */
  readonly environment: Readonly<Record<string, string>>;
  /**
   * `person`: git reads the configuration under HOME and the system's (credential helpers, insteadOf, excludes), for
   * the network and in a person's directory only. `none`: never.
   */
  readonly config: "person" | "none";
  readonly urls: UrlPolicy;
  readonly clock: Clock;
  readonly log: Logger;
  /** The credentials of repositories that have one of their own. Absent: there are none. */
  readonly credentials?: Credentials;
  /** Default 10 min for a remote's refs, an hour for a history, 10 min for the disk, 64 packs. */
  readonly limits?: Partial<Limits>;
}

/** Bytes of a file that is worth keeping: pipeline files are read again with every run. */
const smallFile = 32 * 1024;

/** As git does: a command line, or else a program. */
function sshOf({ GIT_SSH_COMMAND, GIT_SSH }: Readonly<Record<string, string>>): string {
  if (GIT_SSH_COMMAND !== undefined && GIT_SSH_COMMAND !== "") return GIT_SSH_COMMAND;
  return GIT_SSH === undefined || GIT_SSH === "" ? "ssh" : shellQuote(GIT_SSH);
}

export function createSource(options: SourceOptions): Source {
  const stop = new AbortController();
  const busy = new Set<Promise<unknown>>();
  const protocols = allowedProtocols(options.urls);
  const room: Room = {
    directory: absolute(options.directory),
    git: createGit({ ...options, git: options.git ?? "git", protocols }),
    urls: options.urls,
    clock: options.clock,
    log: options.log,
    credentials: options.credentials ?? null,
    counts: createMemo(256),
    pointers: createMemo(256, (found) => found.length <= 100),
    files: createMemo(256, (bytes) => bytes === null || bytes.length <= smallFile),
    ssh: sshOf(options.environment),
    limits: { networkMs: 600_000, historyMs: 3_600_000, localMs: 600_000, packs: 64, ...options.limits },
  };

  /** Every operation ends with the room: its git is ended when the room is disposed. */
  async function during<T>(
    work: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    either.throwIfAborted();
    const done = mkdir(room.directory, { recursive: true, mode: 0o700 }).then(
      () => work(either),
      (error: unknown) => {
        throw unusable(room.directory, error);
      },
    );
    busy.add(done);
    try {
      return await done;
    } finally {
      busy.delete(done);
    }
  }

  return {
    resolve: (request, signal) => during((both) => resolveSource(room, request, both), signal),
    snapshotWorkingTree: (request, signal) =>
      during((both) => snapshotWorkingTree(room, request, both), signal),
    snapshotCommit: (request, signal) => during((both) => snapshotCommit(room, request, both), signal),
    checkout: (spec, target, { signal, links } = {}) => {
      const objects = links === undefined ? borrowed : { kind: "linked" as const, home: absolute(links) };
      return during((both) => checkout(room, spec, absolute(target), objects, both), signal);
    },
    async *archive(spec, signal) {
      const over = Promise.withResolvers<void>();
      const ended = during(async () => await over.promise, undefined);
      try {
        const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
        yield* archive(room, spec, either);
      } finally {
        over.resolve();
        await ended;
      }
    },
    readFile: (at, path, maxBytes, signal) =>
      during((both) => {
        const key = `${at.repositoryId} ${at.tree} ${maxBytes} ${path}`;
        return room.files.once(key, () => readFileAt(room, at, path, maxBytes, both));
      }, signal),
    countPointers: (at, signal) =>
      during((both) => {
        const mirror = mirrorAt(room.directory, at.repositoryId, formatOf(at.tree));
        return pointersOf(room, mirror, at.tree, both).then((found) => found.length);
      }, signal),
    tidy: (signal) => during((both) => tidyMirrors(room, both), signal),
    async [Symbol.asyncDispose]() {
      stop.abort(new DOMException("the source room was closed", "AbortError"));
      await Promise.allSettled(busy);
      await room.git[Symbol.asyncDispose]();
    },
  };
}
