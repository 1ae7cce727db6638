/** The operations that the holder of an execution's token has. */
import type {
  Begun,
  ClaimedExecution,
  Heartbeat,
  LogKept,
  Reported,
  UploadedArtifact,
} from "../../contract/index.ts";
import type { FinalReport } from "../../domain/index.ts";

export interface UploadRequest {
  readonly name: string;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly size: number;
  readonly form: "file" | "tar";
  /** The path of a file, or the directory to which the names of a tar are relative. */
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
 * Operations on one execution. `by` names the executor, as it did in its claim;
 * null where only one can be there.
 * @throws Problem not_found, conflict, gone: there is no point in trying again
 */
export interface CallbackClient {
  readonly executionId: string;
  claim(by: string): Promise<ClaimedExecution>;
  /** The last thing before the step's first command. */
  begin(by: string | null): Promise<Begun>;
  heartbeat(by: string | null): Promise<Heartbeat>;
  report(by: string | null, report: FinalReport): Promise<Omit<Reported, "stop">>;
  appendLog(by: string | null, offset: number, bytes: Uint8Array): Promise<LogKept>;
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
