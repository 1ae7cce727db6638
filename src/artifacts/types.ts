/** The artifact store's contract: bytes on a filesystem, which may be NFS; the database knows id, digest and size. */
import type { ArtifactMetadata, ArtifactType, InputArtifact } from "../domain/index.ts";
import type { ArtifactId, Clock, InstanceId, Logger } from "../kernel/index.ts";
import type { FileSystem } from "./store/file-system.ts";

export interface ArtifactStoreDeps {
  /** Absolute directory; made when first written to. */
  readonly base: string;
  /** Names this writer's temporary directories, so that what a dead one left can be told from work in progress. */
  readonly nodeId: InstanceId;
  /** This process's instance of the node: letters, digits, `-` and `_`. */
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** A put is refused when it would leave fewer bytes free than this. */
  readonly minFreeBytes: number;
  /** The storage under `base`; the default is node:fs. */
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
  /** What the sender said; a difference fails the put. */
  readonly expected?: { readonly sha256: string; readonly size: number };
}

export interface PutFilesRequest extends NewArtifact {
  /** Absolute path of the workspace. No byte from outside of it is ever read. */
  readonly root: string;
  /** Relative to the root. */
  readonly files: readonly string[];
  /** One reproducible tar, with names relative to `bundlePrefix(declaredPath)`; else the one file's bytes. */
  readonly bundle: boolean;
  /** The output's path as declared: a file, a directory or a glob. */
  readonly declaredPath: string;
  /**
   * The uid of the account that made the files; others are refused. A hard link makes another account's file appear in
   * the workspace, and this process may be able to read it where the account is not.
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

/** What the database's row says of an artifact; `name` only makes errors readable. */
export interface ArtifactReference {
  readonly id: ArtifactId;
  readonly sha256: string;
  readonly size: number;
  readonly name?: string;
}

/** Bytes from `start` up to but not including `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface RestoreRequest {
  readonly artifact: InputArtifact;
  /** Absolute directory, which exists: the workspace, or the deploy's directory of artifacts. */
  readonly root: string;
  /**
   * `workspace`: back where it was declared (an image by reference has no such place and is left out).
   * `directory`: at `<root>/<name>`, a file or a directory.
   */
  readonly kind: "workspace" | "directory";
  /** Who is to own what is made; the process's own user when absent. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/**
 * Lifecycle of an artifact: `put` or `putFiles` makes it visible whole or not at all, and durable; the caller then
 * writes its row; `remove` ends it. A payload never changes. All methods may run at the same time, in any number of
 * processes on one base; two puts of one id give one artifact, and a Problem `conflict` to the one whose bytes differ.
 */
export interface ArtifactStore {
  /**
   * @throws Problem storage_failed (space, quota, i/o), conflict (the id holds other bytes), artifact_corrupt (not the
   * expected bytes), artifact_missing (no such source file). Nothing is visible then. The signal's reason on abort.
   */
  put(request: PutRequest, signal?: AbortSignal): Promise<StoredArtifact>;
  /**
   * Stores declared outputs of a workspace that hostile steps may still write to. An `oci_image` must be an archive
   * that `inspectImageArchive` accepts, and its digest is in the metadata.
   * @throws as `put`; artifact_missing also for what is no regular file, lies outside the workspace or is another owner's; artifact_corrupt
   * for a file that changes while it is read.
   */
  putFiles(request: PutFilesRequest, signal?: AbortSignal): Promise<StoredArtifact>;
  /**
   * The payload, or a range of it, verified while it streams: the last chunk is released only after the whole payload
   * has matched digest and size, so wrong bytes never complete. For a range the rest is read and hashed as well.
   * Chunks are the caller's.
   * @throws Problem artifact_missing, artifact_corrupt, storage_failed, each naming the artifact.
   */
  open(reference: ArtifactReference, range?: ByteRange, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** Reads the whole payload; throws as `open` does. */
  verify(reference: ArtifactReference, signal?: AbortSignal): Promise<void>;
  /**
   * Puts an artifact back. What appears is verified and whole: files by rename, directories by rename where nothing is
   * in the way, else file by file. Nothing is ever written through a symlink or outside of the root.
   * @returns the absolute path where it is, or null where it has no place.
   * @throws as `open`; conflict when something in the root is in the way.
   */
  restore(request: RestoreRequest, signal?: AbortSignal): Promise<string | null>;
  /** Takes an artifact away, at once for new readers. Absent already is fine. */
  remove(id: ArtifactId): Promise<void>;
  /** Removes what writers left that live no more; returns how many directories. Names it did not make stay. */
  sweepTemporary(isAlive: (nodeId: InstanceId, instance: string) => boolean): Promise<number>;
}
