/** Composes the module. */
import { mkdir } from "node:fs/promises";
import { resolve as absolute } from "node:path";
import { type Clock, type Logger, shellQuote } from "../kernel/index.ts";
import { archive } from "./checkout/archive.ts";
import { borrowed } from "./checkout/borrow.ts";
import { checkout } from "./checkout/checkout.ts";
import type { Limits, SourceDeps } from "./deps.ts";
import { createCache } from "./git/cache.ts";
import type { Credentials } from "./git/credential.ts";
import { createGit } from "./git/git.ts";
import { allowedProtocols } from "./git/url.ts";
import { pointersOf } from "./lfs/pointers.ts";
import { formatOf, mirrorAt, unusable } from "./mirror/mirror.ts";
import { readFileAt } from "./mirror/read-file.ts";
import { repackMirrors } from "./mirror/repack.ts";
import { resolveSource } from "./mirror/resolve.ts";
import type { Source, UrlPolicy } from "./types.ts";
import { snapshotCommit } from "./worktree/local-commit.ts";
import { snapshotWorkingTree } from "./worktree/working-tree.ts";

export interface SourceOptions {
  /** Absolute directory of the mirrors, `<directory>/<repositoryId>.git`. Created 0700 at first use. */
  readonly directory: string;
  /** Program. Default `git` from the environment's PATH. */
  readonly git?: string;
  /** Environment of git: PATH, HOME, proxies, SSH_AUTH_SOCK. GIT_* other than transport and trust are dropped. */
  readonly environment: Readonly<Record<string, string>>;
  /**
   * `person`: git reads the configuration of HOME and the system (credential helpers, insteadOf, excludes), only for
   * network calls and in a working copy. `none`: never.
   */
  readonly config: "person" | "none";
  readonly urls: UrlPolicy;
  readonly clock: Clock;
  readonly log: Logger;
  /** Clone credentials of repositories. Default: none. */
  readonly credentials?: Credentials;
  /** Default 10 min for a remote's refs, an hour for a history, 10 min for local operations, 64 packs. */
  readonly limits?: Partial<Limits>;
}

/** Maximum size of a cached file. Every run reads the pipeline file. */
const smallFile = 32 * 1024;

/** Chooses like git: a command line, or else a program. */
function sshOf({ GIT_SSH_COMMAND, GIT_SSH }: Readonly<Record<string, string>>): string {
  if (GIT_SSH_COMMAND !== undefined && GIT_SSH_COMMAND !== "") return GIT_SSH_COMMAND;
  return GIT_SSH === undefined || GIT_SSH === "" ? "ssh" : shellQuote(GIT_SSH);
}

export function createSource(options: SourceOptions): Source {
  const stop = new AbortController();
  const busy = new Set<Promise<unknown>>();
  const protocols = allowedProtocols(options.urls);
  const deps: SourceDeps = {
    directory: absolute(options.directory),
    git: createGit({ ...options, git: options.git ?? "git", protocols }),
    urls: options.urls,
    clock: options.clock,
    log: options.log,
    credentials: options.credentials ?? null,
    counts: createCache(256),
    pointers: createCache(256, (found) => found.length <= 100),
    files: createCache(256, (bytes) => bytes === null || bytes.length <= smallFile),
    ssh: sshOf(options.environment),
    limits: { networkMs: 600_000, historyMs: 3_600_000, localMs: 600_000, packs: 64, ...options.limits },
  };

  /** Runs an operation that ends when the source is disposed. */
  async function during<T>(
    work: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    either.throwIfAborted();
    const done = mkdir(deps.directory, { recursive: true, mode: 0o700 }).then(
      () => work(either),
      (error: unknown) => {
        throw unusable(deps.directory, error);
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
    resolve: (request, signal) => during((both) => resolveSource(deps, request, both), signal),
    snapshotWorkingTree: (request, signal) =>
      during((both) => snapshotWorkingTree(deps, request, both), signal),
    snapshotCommit: (request, signal) => during((both) => snapshotCommit(deps, request, both), signal),
    checkout: (spec, target, { signal, links } = {}) => {
      const objects = links === undefined ? borrowed : { kind: "linked" as const, home: absolute(links) };
      return during((both) => checkout(deps, spec, absolute(target), objects, both), signal);
    },
    async *archive(spec, signal) {
      const over = Promise.withResolvers<void>();
      const ended = during(async () => await over.promise, undefined);
      try {
        const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
        yield* archive(deps, spec, either);
      } finally {
        over.resolve();
        await ended;
      }
    },
    readFile: (at, path, maxBytes, signal) =>
      during((both) => {
        const key = `${at.repositoryId} ${at.tree} ${maxBytes} ${path}`;
        return deps.files.once(key, () => readFileAt(deps, at, path, maxBytes, both));
      }, signal),
    countPointers: (at, signal) =>
      during((both) => {
        const mirror = mirrorAt(deps.directory, at.repositoryId, formatOf(at.tree));
        return pointersOf(deps, mirror, at.tree, both).then((found) => found.length);
      }, signal),
    repack: (signal) => during((both) => repackMirrors(deps, both), signal),
    async [Symbol.asyncDispose]() {
      stop.abort(new DOMException("The source was closed.", "AbortError"));
      await Promise.allSettled(busy);
      await deps.git[Symbol.asyncDispose]();
    },
  };
}
