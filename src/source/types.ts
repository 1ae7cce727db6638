/** The face of the room `source`: what can be asked about repositories, commits, trees and working directories. */
import type { SourceSpec } from "../domain/index.ts";
import type { RepositoryId } from "../kernel/index.ts";

/** Which addresses are accepted beside https and ssh. */
export interface UrlPolicy {
  /** `file://` and absolute paths on this machine. */
  readonly allowLocal: boolean;
  /** `http://`, which anybody on the way can read and change. */
  readonly allowHttp: boolean;
}

export interface ResolveRequest {
  readonly repositoryId: string;
  readonly cloneUrl: string;
  /** The repository whose clone credential git is given; null or absent: what git has by itself. */
  readonly credential?: RepositoryId | null;
  /** A branch, a tag, `refs/…`, a full commit id; null is the remote's HEAD. A branch wins over a tag of its name. */
  readonly ref: string | null;
  /** When known, this commit is taken (40 or 64 hex digits) and `ref` is only its label. */
  readonly sha?: string;
}

export interface ResolvedSource {
  readonly commit: string;
  readonly tree: string;
  /** The full name (`refs/heads/main`), or null for a bare commit id. */
  readonly ref: string | null;
  readonly branch: string | null;
  readonly tag: string | null;
  /** Short name of the branch that the remote's HEAD names; null when it was not asked or names none. */
  readonly defaultBranch: string | null;
  /** The remote does not have all of the commit's history (it is shallow), so checkouts have a part of it. */
  readonly cut: boolean;
}

export interface WorkingTreeRequest {
  readonly repositoryId: string;
  /** Absolute path of the workspace's root. */
  readonly directory: string;
  /** Absolute paths that never travel, say a data directory inside the workspace. */
  readonly exclude?: readonly string[];
}

export interface LocalCommitRequest {
  readonly repositoryId: string;
  readonly directory: string;
  /** Anything `git rev-parse` accepts and `checkRef` lets through: branch, tag, commit id of 7 digits or more. */
  readonly ref: string;
}

/** A directory as one tree in the mirror, which needs the person's repository no more. */
export interface WorkingTree {
  /** HEAD's commit; null without git or before the first commit. */
  readonly commit: string | null;
  readonly tree: string;
  readonly ref: string | null;
  readonly branch: string | null;
  /** Set when HEAD is detached at a tag. */
  readonly tag: string | null;
  /** `tree` differs from the commit's tree of the directory; false where there is no commit to differ from. */
  readonly dirty: boolean;
  /** The directory inside its repository (`services/api`), null at its root and without git. */
  readonly subpath: string | null;
  /** The repository does not have all of the commit's history (a shallow or partial clone). */
  readonly cut: boolean;
  /** Files and symlinks in the tree. */
  readonly fileCount: number;
  /** Submodules are inside; checkout writes them when it is asked to, as they lay there or as the index says. */
  readonly submodules: boolean;
  /** Repositories inside that git does not track here, as paths under the directory: their files did not travel. */
  readonly nested: readonly string[];
}

export interface CheckoutOptions {
  /**
   * A directory outside of the target, absent or empty, where second names of the mirror's packs are put for `.git` to
   * use: for readers who may not look into the mirrors. They may read these files and must never own them.
   */
  readonly links?: string;
  readonly signal?: AbortSignal;
}

export interface CheckedOut {
  /** What a person should know, a sentence each: submodules fetched or not. */
  readonly notes: readonly string[];
}

/**
 * Repositories by way of bare mirrors under one directory. Every method may be called at any time, from several
 * processes on one directory at once; nothing holds a lock, so that a killed process leaves nothing to wait for.
 * Aborting a signal ends the git process and its children and rejects with the signal's reason. No method writes to
 * a person's repository. Errors of all: Problem environment (no git), data_dir_unusable, storage_failed (disk full).
 */
export interface Source extends AsyncDisposable {
  /** @throws Problem source_refused, ref_not_found, source_unavailable */
  resolve(request: ResolveRequest, signal?: AbortSignal): Promise<ResolvedSource>;
  /**
   * Tracked and untracked files as their bytes are (no filter, no line-end conversion), without ignored ones; without
   * git, everything. Empty directories, sockets and FIFOs do not travel.
   * @throws Problem source_refused (not a directory, bare, inside .git, foreign-owned), source_unavailable (unreadable)
   */
  snapshotWorkingTree(request: WorkingTreeRequest, signal?: AbortSignal): Promise<WorkingTree>;
  /** One commit of the repository around `directory`, that directory being the root of the tree. */
  snapshotCommit(request: LocalCommitRequest, signal?: AbortSignal): Promise<WorkingTree>;
  /**
   * Writes the tree into a directory that is absent or empty. With a known commit it is a real git checkout with the
   * commit's history and tags (`.git` borrows its objects from the mirror; HEAD is detached at `commit`; `origin` is the clone URL); without one
   * there is no `.git`. A commit that is not in the mirror yet is fetched. After an error the directory is the
   * caller's to remove. @throws Problem source_refused (hostile tree or submodule), source_unavailable
   */
  checkout(spec: SourceSpec, targetDirectory: string, options?: CheckoutOptions): Promise<CheckedOut>;
  /**
   * What `checkout` makes, as a tar that needs no mirror: names relative to the workspace, links as links. A failure comes
   * before the first byte. @throws as `checkout`
   */
  archive(spec: SourceSpec, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /**
   * The bytes of one file, null when the tree has nothing at `path`.
   * @throws Problem source_refused: a symlink, a directory, or more than `maxBytes`
   */
  readFile(
    at: Pick<SourceSpec, "repositoryId" | "tree">,
    path: string,
    maxBytes: number,
    signal?: AbortSignal,
  ): Promise<Buffer | null>;
  /** How many files of the tree are pointers of Git LFS. */
  countPointers(at: Pick<SourceSpec, "repositoryId" | "tree">, signal?: AbortSignal): Promise<number>;
  /** Gathers what many fetches have left in many packs. What cannot be is logged. */
  tidy(signal?: AbortSignal): Promise<void>;
}
