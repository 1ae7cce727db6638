/** Problems of this module. Each names the artifact, the consequence and a remedy. */
import { type ArtifactId, errorCode, errorMessage, Problem } from "../kernel/index.ts";

/** Name of an artifact in errors: `Artifact app (0192…)`. */
export function callArtifact(artifact: { readonly id: ArtifactId; readonly name?: string }): string {
  return artifact.name === undefined
    ? `Artifact ${artifact.id}`
    : `Artifact ${artifact.name} (${artifact.id})`;
}

const remedies: Readonly<Record<string, string>> = {
  ENOSPC: "Free space on the filesystem of the artifact store, or move the store to a larger one.",
  EDQUOT: "Raise the quota of the account that Shipinator runs as, or remove what it no longer needs.",
  EROFS:
    "The filesystem is mounted read-only. Look into the system's log for the cause, then mount it writable.",
  EACCES: "Give the account that Shipinator runs as the right to write to the artifact store.",
  EPERM: "Give the account that Shipinator runs as the right to write to the artifact store.",
  EIO: "The device or the file server failed. Look into the system's log before trying again.",
  ESTALE: "The file server no longer knows the file. Check the mount of the artifact store, then try again.",
  EMFILE: "Raise the limit of open files (ulimit -n) for Shipinator.",
};

/** Failure of the storage. `doing` completes "… while storing it". */
export function storageFailure(subject: string, doing: string, error: unknown): Problem {
  if (error instanceof Problem) return error;
  const remedy = remedies[errorCode(error) ?? ""] ?? "Check the artifact store's filesystem, then try again.";
  return new Problem("storage_failed", `${subject}: ${errorMessage(error)} while ${doing}.`, {
    remedy,
    cause: error,
  });
}

export function artifactMissing(subject: string, path: string): Problem {
  return new Problem(
    "artifact_missing",
    `${subject} is recorded, but its payload is not in the artifact store.`,
    {
      place: path,
      remedy:
        "Restore the artifact store from a backup, or run the pipeline again to make the artifact again.",
    },
  );
}

export function artifactCorrupt(subject: string, fact: string, path: string): Problem {
  return new Problem("artifact_corrupt", `${subject} ${fact}; it is not used.`, {
    place: path,
    remedy: "Restore the payload from a backup, or run the pipeline again to make the artifact again.",
  });
}

/** Problem of a declared output that cannot be stored. */
export function outputRefused(path: string, fact: string, cause?: unknown): Problem {
  return new Problem("artifact_missing", `${JSON.stringify(path)} cannot become an artifact: ${fact}.`, {
    place: path,
    remedy: "Declare regular files of the workspace as outputs.",
    ...(cause === undefined ? {} : { cause }),
  });
}
