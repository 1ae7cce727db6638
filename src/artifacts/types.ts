/** Contract of the artifact store: bytes on a filesystem, which may be NFS. The database has id, digest and size. */
import type { ArtifactMetadata, ArtifactType, InputArtifact } from "../domain/index.ts";
import type { ArtifactId, Clock, InstanceId, Logger } from "../kernel/index.ts";
import type { FileSystem } from "./store/file-system.ts";

export interface ArtifactStoreDeps {
  /** Absolute directory. The first write creates it. */
  readonly base: string;
  /** Part of the names of temporary directories, by which cleanup tells leftovers from work in progress. */
  readonly nodeId: InstanceId;
  /** Name of this process's instance: letters, digits, `-` and `_`. */
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Number of bytes that a put must leave free. */
  readonly minFreeBytes: number;
  /** Storage under `base`. Default node:fs. */
  readonly files?: FileSystem;
}

interface NewArtifact {
  readonly id: ArtifactId;
  readonly name: string;
  readonly type: ArtifactType;
}

export interface PutRequest extends NewArtifact {
  readonly metadata: ArtifactMetadata;
  readonly source: AsyncIterable<Uint8Array> | { readonly file: string };
  /** Digest and size according to the sender. A difference fails the put. */
  readonly expected?: { readonly sha256: string; readonly size: number };
}

export interface PutFilesRequest extends NewArtifact {
  /** Absolute path of the workspace. Bytes outside of it are never read. */
  readonly root: string;
  /** Paths relative to the root. */
  readonly files: readonly string[];
  /** True: one reproducible tar with names relative to `bundlePrefix(declaredPath)`. False: the bytes of the one file. */
  readonly bundle: boolean;
  /** Declared path of the output: a file, a directory or a glob. */
  readonly declaredPath: string;
  /**
   * Uid of the account that made the files. Files of others are rejected, because a step can hard-link a file into the
   * workspace that this process can read and the account cannot.
   */
  readonly owner?: number;
}

export interface StoredArtifact {
  /** Lower-case hex. */
  readonly sha256: string;
  readonly size: number;
  /** Absolute path of the payload. */
  readonly storagePath: string;
  readonly metadata: ArtifactMetadata;
}

/** Artifact according to its row in the database. `name` is for errors. */
export interface ArtifactReference {
  readonly id: ArtifactId;
  readonly sha256: string;
  readonly size: number;
  readonly name?: string;
}

/** Range of bytes. `end` is exclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface RestoreRequest {
  readonly artifact: InputArtifact;
  /** Absolute, existing directory: the workspace, or the deploy's directory of artifacts. */
  readonly root: string;
  /**
   * `workspace`: at its declared path. An image by reference has none and is skipped.
   * `directory`: at `<root>/<name>`, a file or a directory.
   */
  readonly kind: "workspace" | "directory";
  /** Owner of the restored files. Default: this process's user. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/**
 * Lifecycle of an artifact: `put` or `putFiles` stores it durably and makes it visible atomically; the caller then writes
 * its row; `remove` ends it. A payload never changes. All methods may run concurrently in any number of processes on one
 * base. Two puts of one id give one artifact, and a Problem `conflict` to the put whose bytes differ.
 */
export interface ArtifactStore {
  /**
   * @throws Problem storage_failed (space, quota, i/o), conflict (the id holds other bytes), artifact_corrupt (not the
   * expected bytes), artifact_missing (no such source file), or the signal's reason. Nothing is visible then.
   */
  put(request: PutRequest, signal?: AbortSignal): Promise<StoredArtifact>;
  /**
   * Stores declared outputs of a workspace that hostile steps may still write to. An `oci_image` must be an archive
   * that `inspectImageArchive` accepts, and its digest is in the metadata.
   * @throws as `put`; artifact_missing also for a file that is not regular, is outside the workspace or has another owner;
   * artifact_corrupt for a file that changes while it is read
   */
  putFiles(request: PutFilesRequest, signal?: AbortSignal): Promise<StoredArtifact>;
  /**
   * Streams and verifies the payload or a range of it. The last chunk follows only after the whole payload has matched
   * digest and size, so wrong bytes never complete. For a range the rest is read and hashed, too. The caller owns the
   * chunks.
   * @throws Problem artifact_missing, artifact_corrupt, storage_failed, each naming the artifact.
   */
  open(reference: ArtifactReference, range?: ByteRange, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** Reads and verifies the whole payload. Throws as `open` does. */
  verify(reference: ArtifactReference, signal?: AbortSignal): Promise<void>;
  /**
   * Restores an artifact, verified and whole: a file by rename, a directory by rename, or file by file if a directory is
   * there. Never writes through a symlink or outside of the root.
   * @returns the absolute path, or null if it has none
   * @throws as `open`; conflict if something in the root is in the way
   */
  restore(request: RestoreRequest, signal?: AbortSignal): Promise<string | null>;
  /** Removes an artifact, at once for new readers. Succeeds if it is absent. */
  remove(id: ArtifactId): Promise<void>;
  /** Removes temporary directories of ended writers and returns their number. Other names stay. */
  removeTemporary(isAlive: (nodeId: InstanceId, instance: string) => boolean): Promise<number>;
}
