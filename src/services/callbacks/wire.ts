/** What an executor elsewhere asks and is answered. JSON: snake_case, times in RFC 3339. */
import type { ArtifactMetadata, ArtifactType, FinalReport, JobType, StopCause } from "../../domain/index.ts";

/** All that an executor needs to carry an attempt out. */
export interface ClaimedExecution {
  readonly execution_id: string;
  readonly attempt: number;
  readonly pipeline_run_id: string;
  readonly job: { readonly id: string; readonly attempt: number; readonly type: JobType };
  readonly step: { readonly id: string; readonly name: string };
  readonly image: string | null;
  /** A script; `shell` null: for `sh -e`. */
  readonly command: string;
  readonly shell: readonly string[] | null;
  readonly env: Readonly<Record<string, string>>;
  /** Variables of the step that are to be masked in its log. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly timeout_seconds: number;
  /** Between SIGTERM and SIGKILL. */
  readonly grace_seconds: number;
  /** Null: the step gets no source, nothing but its inputs. */
  readonly source: { readonly commit: string | null; readonly tree: string } | null;
  readonly inputs: readonly ClaimedInput[];
  readonly outputs: readonly {
    readonly name: string;
    readonly type: ArtifactType;
    readonly path: string | null;
    readonly ref: string | null;
    readonly required: boolean;
  }[];
  /** Bytes of the log that are kept. */
  readonly log_cap_bytes: number;
  readonly heartbeat_seconds: number;
}

export interface ClaimedInput {
  readonly name: string;
  readonly type: ArtifactType;
  /** Where it was declared, relative to the workspace; null for an image by reference. */
  readonly path: string | null;
  readonly form: ArtifactMetadata["form"];
  readonly mode: number | null;
  readonly sha256: string;
  readonly size: number;
}

/** Why and how an attempt is to end now. */
export interface StopOrder {
  readonly cause: StopCause;
  readonly grace_seconds: number;
}

export interface Begun {
  readonly begun_at: string;
}

export interface Heard {
  readonly stop: StopOrder | null;
}

export interface LogAnswer {
  /** Bytes kept: what comes next starts here. */
  readonly offset: number;
  /** The cap is reached: nothing more is kept. */
  readonly full: boolean;
}

export interface UploadedArtifact {
  readonly id: string;
  readonly name: string;
  readonly sha256: string;
  readonly size: number;
}

export interface ReportAnswer {
  /** Nothing more is waited for; else bytes of the log are missing, from `log_offset` on. */
  readonly acknowledged: boolean;
  readonly log_offset: number;
}

export interface UploadRequest {
  readonly name: string;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly size: number;
  readonly form: "file" | "tar";
  /** Of a file where it was found, of a tar what its names are relative to. */
  readonly path: string | null;
  readonly mode: number | null;
  readonly files: number | null;
}

export interface Download {
  readonly size: number | null;
  readonly sha256: string | null;
  bytes(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/**
 * What the holder of an execution's token may do with that execution. `by` names the executor, as it did in its claim;
 * null where only one can be there.
 * @throws Problem not_found, conflict, gone: there is no point in trying again
 */
export interface CallbackClient {
  readonly executionId: string;
  claim(by: string): Promise<ClaimedExecution>;
  /** The last thing before the step's first command. */
  begin(by: string | null): Promise<Begun>;
  heartbeat(by: string | null): Promise<Heard>;
  report(by: string | null, report: FinalReport): Promise<ReportAnswer>;
  appendLog(by: string | null, offset: number, bytes: Uint8Array): Promise<LogAnswer>;
  upload(
    by: string | null,
    request: UploadRequest,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<UploadedArtifact>;
  /** A tar of the source tree, its `.git` included where it has a commit. */
  source(by: string | null): Promise<Download>;
  input(by: string | null, name: string): Promise<Download>;
}
