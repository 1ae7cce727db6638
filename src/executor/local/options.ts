/** Options and ports of the local executor. It may not import its siblings, so their parts come as ports. */
import type { ExecutionSpec, InputArtifact, SourceSpec } from "../../domain/index.ts";
import type { Clock, ExecutionId, Logger } from "../../kernel/index.ts";

/** A way to end every process of a worker, the surest first. On the first two no survivor is possible. */
export type KillStrategy = "cgroup" | "freezer" | "session";

/** Another account than the server's, which must be root then. Its steps reach nothing of the executor's own. */
export interface StepAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** Absolute path of util-linux' `setpriv`, which becomes the account. */
  readonly setpriv: string;
}

/** Secrets of a step. */
export interface StepSecrets {
  /** Values of those that it names, by name. */
  readonly variables: Readonly<Record<string, string>>;
  /** Values of all secrets of its run, which are masked in its log. */
  readonly masked: readonly string[];
}

export interface LocalPorts {
  /**
   * Checks the tree out into `directory`, which exists and is empty. With `links`, a directory that is absent, its
   * `.git` uses what is put there: steps of another account read it and must not own it.
   * @throws Problem source_unavailable
   */
  checkout(source: SourceSpec, directory: string, links: string | null): Promise<void>;
  /**
   * Puts an artifact back: `workspace`: at its declared path below `root`; `artifacts`: at `root/<name>` (deploys).
   * @throws Problem artifact_missing, artifact_corrupt, storage_failed
   */
  restore(
    input: InputArtifact,
    to: { readonly root: string; readonly kind: "workspace" | "artifacts" },
  ): Promise<void>;
  /** @throws Problem executor_failed: the step names a secret that does not exist; environment: one cannot be decrypted */
  secrets(spec: Pick<ExecutionSpec, "job" | "secrets">): Promise<StepSecrets>;
  /** The absolute path of the execution's log, its directory made. The log writer appends to it. No newline in it. */
  logFile(executionId: ExecutionId): string | Promise<string>;
  /** The log of a step grows for more than a moment; and when it does so no more. */
  logGrows(executionId: ExecutionId): void;
  logEnds(executionId: ExecutionId): void;
}

export interface LocalExecutorOptions extends LocalPorts {
  /** Absolute; made when missing, mode 0700. Holds `<job id>.<attempt>/…` and `trash/`. */
  readonly directory: string;
  /** Account of the steps. Default: the server's own. */
  readonly account?: StepAccount;
  /** A pool in its place: each project has one of these to itself while it has open jobs. */
  readonly accounts?: readonly StepAccount[];
  /** `project`: each project has a HOME of its own here, in place of the one in `environment`. Default: shared. */
  readonly homes?: "project" | "shared";
  /** All that steps get of any environment beside their plan's: an allow-list such as PATH, HOME, LANG, TZ. */
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Program and first arguments of the log writer that masks secrets (src/mask.ts). */
  readonly maskingWriter: readonly string[];
  /** Bytes of a log that are stored; the rest is drained and counted. */
  readonly logCapBytes: number;
  /** Steps that name an image run without it, or are refused. Default: they run. */
  readonly images?: "ignore" | "refuse";
  /** Below this many free bytes `unavailableReason` says no; 0 never does. */
  readonly minFreeBytes: number;
  /** Free bytes where `directory` is. Default: statfs. */
  readonly freeBytes?: (directory: string) => Promise<number>;
  /** Strategies that may be used, surest first. Default: all; those that this machine does not have are left out. */
  readonly strategies?: readonly KillStrategy[];
  /** Limit of a worker's memory cgroup, where there is one. Default: none. */
  readonly memoryLimitBytes?: number;
  /** Time that a grandchild may hold the log's pipe after its step's exit. Default 2,000 ms. */
  readonly holdMs?: number;
  /** `process.kill`. */
  readonly kill: (pid: number, signal: "SIGTERM" | "SIGKILL" | "SIGUSR1") => void;
  /** `process.platform`; anything but `linux` is refused. */
  readonly platform: string;
}
