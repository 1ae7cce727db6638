/** Dependencies of all source operations. */
import type { Clock, Logger } from "../kernel/index.ts";
import type { Cache } from "./git/cache.ts";
import type { Credentials } from "./git/credential.ts";
import type { Git } from "./git/git.ts";
import type { LfsPointer } from "./lfs/pointers.ts";
import type { UrlPolicy } from "./types.ts";

export interface SourceDeps {
  /** Directory of the mirrors. */
  readonly directory: string;
  readonly git: Git;
  readonly urls: UrlPolicy;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: Limits;
  readonly credentials: Credentials | null;
  /** Cached by tree id. */
  readonly counts: Cache<TreeCounts>;
  /** Pointers of Git LFS, cached by tree. */
  readonly pointers: Cache<readonly LfsPointer[]>;
  readonly files: Cache<Buffer | null>;
  /** Command that git uses for ssh by default. */
  readonly ssh: string;
}

/** Number of entries of a tree, including subtrees. */
export interface TreeCounts {
  readonly files: number;
  /** Submodules. */
  readonly links: number;
}

export interface Limits {
  /** Time limit in milliseconds to read refs from a remote. */
  readonly networkMs: number;
  /** Time limit to fetch a commit with its history. */
  readonly historyMs: number;
  /** Time limit of local operations. */
  readonly localMs: number;
  /** Number of packs at which a mirror is repacked. */
  readonly packs: number;
}
