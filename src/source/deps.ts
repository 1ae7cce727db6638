/** What every operation of the room is given. */
import type { Clock, Logger } from "../kernel/index.ts";
import type { Memo } from "./git/cache.ts";
import type { Credentials } from "./git/credential.ts";
import type { Git } from "./git/git.ts";
import type { LfsPointer } from "./lfs/pointers.ts";
import type { UrlPolicy } from "./types.ts";

export interface Room {
  /** Where the mirrors live. */
  readonly directory: string;
  readonly git: Git;
  readonly urls: UrlPolicy;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: Limits;
  readonly credentials: Credentials | null;
  /** Of trees by their ids, and files of trees. */
  readonly counts: Memo<TreeCounts>;
  /** Files of a tree that are pointers of Git LFS. */
  readonly pointers: Memo<readonly LfsPointer[]>;
  readonly files: Memo<Buffer | null>;
  /** What starts ssh, as git has it by itself. */
  readonly ssh: string;
}

/** Entries of a tree, its subtrees included. */
export interface TreeCounts {
  readonly files: number;
  /** Submodules. */
  readonly links: number;
}

export interface Limits {
  /** Milliseconds that git may take to read refs from a remote. */
  readonly networkMs: number;
  /** The same for a commit with its history. */
  readonly historyMs: number;
  /** The same for anything on this machine's disk. */
  readonly localMs: number;
  /** So many packs of a mirror are worth to be gathered. */
  readonly packs: number;
}
