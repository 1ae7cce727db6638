/** What every operation of the room is given. */
import type { Clock, Logger } from "../kernel/index.ts";
import type { Credentials } from "./credential.ts";
import type { Git } from "./git.ts";
import type { UrlPolicy } from "./types.ts";

export interface Room {
  /** Where the mirrors live. */
  readonly directory: string;
  readonly git: Git;
  readonly urls: UrlPolicy;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: Limits;
  readonly objects: "borrowed" | "copied";
  readonly credentials: Credentials | null;
  /** What starts ssh, as git has it by itself. */
  readonly ssh: string;
}

/** Milliseconds that one git call may take. */
export interface Limits {
  /** Reading refs, or a commit, from a remote. */
  readonly networkMs: number;
  /** Anything on this machine's disk. */
  readonly localMs: number;
}
