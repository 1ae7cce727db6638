/** Public API of the module: repositories, commits, trees and working copies. */
import type { SourceSpec } from "../domain/index.ts";
import type { RepositoryId } from "../kernel/index.ts";

/** Addresses that are accepted in addition to https and ssh. */
export interface UrlPolicy {
  /** `file://` and absolute paths on this machine. */
  readonly allowLocal: boolean;
  /** `http://`, which anybody on the network path can read and change. */
  readonly allowHttp: boolean;
}

export interface ResolveRequest {
  readonly repositoryId: string;
  readonly cloneUrl: string;
  /** Repository whose clone credential git gets. Null or absent: git's own credentials. */
  readonly credential?: RepositoryId | null;
  /** Branch, tag, `refs/…` or full commit id. Null means the remote's HEAD. A branch wins over a tag of the same name. */
  readonly ref: string | null;
  /** Commit id of 40 or 64 hex digits. If given, `ref` is only its label. */
  readonly sha?: string;
}

export interface ResolvedSource {
  readonly commit: string;
  readonly tree: string;
  /** Full name (`refs/heads/main`), or null for a bare commit id. */
  readonly ref: string | null;
  readonly branch: string | null;
  readonly tag: string | null;
  /** Short name of the branch of the remote's HEAD. Null if it has none or the remote was not asked. */
  readonly defaultBranch: string | null;
  /** The remote is shallow, so checkouts have only part of the history. */
  readonly cut: boolean;
}

export interface WorkingTreeRequest {
  readonly repositoryId: string;
  /** Absolute path of the workspace's root. */
  readonly directory: string;
  /** Absolute paths to exclude, such as a data directory inside the workspace. */
  readonly exclude?: readonly string[];
}

export interface LocalCommitRequest {
  readonly repositoryId: string;
  readonly directory: string;
  /** Anything `git rev-parse` accepts and `checkRef` lets through: branch, tag, commit id of 7 digits or more. */
  readonly ref: string;
}

/** Working copy as one tree in the mirror, independent of the person's repository. */
export interface WorkingTree {
  /** Commit of HEAD. Null without git or before the first commit. */
  readonly commit: string | null;
  readonly tree: string;
  readonly ref: string | null;
  readonly branch: string | null;
  /** Set when HEAD is detached at a tag. */
  readonly tag: string | null;
  /** True if `tree` differs from the commit's tree of the directory. False without a commit. */
  readonly dirty: boolean;
  /** Path of the directory in its repository (`services/api`). Null at the root and without git. */
  readonly subpath: string | null;
  /** The repository does not have all of the commit's history (a shallow or partial clone). */
  readonly cut: boolean;
  /** Files and symlinks in the tree. */
  readonly fileCount: number;
  /** True if the tree has submodules. A checkout writes them on request, from their directory or by the index. */
  readonly submodules: boolean;
  /** Paths of nested repositories that git does not track. Their files are not included. */
  readonly nested: readonly string[];
}

export interface CheckoutOptions {
  /**
   * Directory outside of the target, absent or empty, for hard links to the mirror's packs, which `.git` uses. For readers
   * without access to the mirrors. They may read these files and must not own them.
   */
  readonly links?: string;
  readonly signal?: AbortSignal;
}

export interface CheckedOut {
  /** Notes for the user, one sentence each, such as which submodules were fetched. */
  readonly notes: readonly string[];
}

/**
 * Access to repositories through bare mirrors in one directory. All methods may run concurrently in several processes on
 * one directory. There are no locks, so a killed process blocks nobody. Aborting a signal ends the git process and its
 * children and rejects with the signal's reason. No method writes to a person's repository. All methods can throw Problem
 * environment (no git), data_dir_unusable and storage_failed (disk full).
 */
export interface Source extends AsyncDisposable {
  /** @throws Problem source_refused, ref_not_found, source_unavailable */
  resolve(request: ResolveRequest, signal?: AbortSignal): Promise<ResolvedSource>;
  /**
   * Snapshots tracked and untracked files byte by byte (no filter, no line-end conversion), without ignored ones; without
   * git, everything. Leaves out empty directories, sockets and FIFOs.
   * @throws Problem source_refused (not a directory, bare, inside .git, foreign-owned), source_unavailable (unreadable)
   */
  snapshotWorkingTree(request: WorkingTreeRequest, signal?: AbortSignal): Promise<WorkingTree>;
  /** Snapshots one commit of the repository around `directory`. That directory becomes the root of the tree. */
  snapshotCommit(request: LocalCommitRequest, signal?: AbortSignal): Promise<WorkingTree>;
  /**
   * Writes the tree into a directory that is absent or empty. A known commit gives a real git checkout with its history
   * and tags: `.git` borrows objects from the mirror, HEAD is detached at `commit`, and `origin` is the clone URL. Without
   * a commit there is no `.git`. Fetches a commit that is not in the mirror yet. After an error the caller removes the
   * directory. @throws Problem source_refused (hostile tree or submodule), source_unavailable
   */
  checkout(spec: SourceSpec, targetDirectory: string, options?: CheckoutOptions): Promise<CheckedOut>;
  /**
   * Streams a checkout as a tar that needs no mirror. Names are relative to the workspace, and links stay links. Fails
   * before the first byte. @throws as `checkout`
   */
  archive(spec: SourceSpec, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /**
   * Reads one file. Null if the tree has nothing at `path`.
   * @throws Problem source_refused: a symlink, a directory, or more than `maxBytes`
   */
  readFile(
    at: Pick<SourceSpec, "repositoryId" | "tree">,
    path: string,
    maxBytes: number,
    signal?: AbortSignal,
  ): Promise<Buffer | null>;
  /** Counts the files of the tree that are pointers of Git LFS. */
  countPointers(at: Pick<SourceSpec, "repositoryId" | "tree">, signal?: AbortSignal): Promise<number>;
  /** Repacks mirrors that have many packs. Logs failures. */
  repack(signal?: AbortSignal): Promise<void>;
}
