/** Restores an artifact into a workspace or an input directory: first under a hidden name, then by rename. */
import fs from "node:fs/promises";
import path from "node:path";
import { unpack } from "../archive/unpack.ts";
import { artifactCorrupt, callArtifact, storageFailure } from "../failures.ts";
import { safeSegments } from "../paths.ts";
import type { RestoreRequest } from "../types.ts";
import { Directory, inTheWay, unfinishedName } from "./directory.ts";
import { type FileSystem, hasCode } from "./file-system.ts";
import { readVerified } from "./verified-read.ts";

interface StoreFiles {
  readonly files: FileSystem;
  readonly base: string;
}

export async function restore(
  shelf: StoreFiles,
  request: RestoreRequest,
  signal?: AbortSignal,
): Promise<string | null> {
  const { artifact, root, owner } = request;
  const subject = callArtifact({ id: artifact.artifactId, name: artifact.name });
  const target = targetOf(request, subject);
  if (target === null) return null;
  const chunks = readVerified(shelf, { ...artifact, id: artifact.artifactId }, undefined, signal);
  try {
    await using top = await Directory.open(root, owner);
    if (artifact.metadata.form === "tar") await restoreTree(top, target, chunks, subject);
    else await restoreFile(top, target, (artifact.metadata.mode ?? 0o644) & 0o777, chunks);
  } catch (error) {
    signal?.throwIfAborted();
    throw storageFailure(subject, `putting it back into ${root}`, error);
  }
  return path.join(root, ...target);
}

/** Returns the target as segments below the root, or null if it has none. */
function targetOf({ artifact, kind }: RestoreRequest, subject: string): readonly string[] | null {
  const { form, path: recorded } = artifact.metadata;
  const declared = kind === "directory" ? artifact.name : (recorded ?? artifact.path);
  if (declared === null || (kind === "workspace" && form === "image_ref")) return null;
  const normal = path.posix.normalize(declared).replace(/\/$/, "");
  if (normal === "." && form === "tar" && kind === "workspace") return [];
  const segments = safeSegments(normal);
  if (segments === null)
    throw artifactCorrupt(subject, `is recorded at ${JSON.stringify(declared)}, out of its root`, "");
  return segments;
}

async function restoreFile(
  top: Directory,
  target: readonly string[],
  mode: number,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  await using parent = await top.enter(target.slice(0, -1));
  const unfinished = unfinishedName();
  try {
    await parent.writeFile(unfinished, mode, chunks);
    await moveOver(parent, unfinished, parent, target.at(-1) ?? "");
  } catch (error) {
    await parent.remove(unfinished);
    throw error;
  }
}

async function restoreTree(
  top: Directory,
  target: readonly string[],
  chunks: AsyncIterable<Uint8Array>,
  subject: string,
): Promise<void> {
  const unfinished = unfinishedName();
  try {
    await using whole = await top.enter([unfinished]);
    await unpack(chunks, whole, subject);
    if (await movedWhole(top, unfinished, target)) return;
    await using there = await top.enter(target);
    await merge(whole, there);
    await top.remove(unfinished);
  } catch (error) {
    await top.remove(unfinished);
    throw error;
  }
}

/** Moves the whole directory by one rename. Returns false if there is a directory to merge with. */
async function movedWhole(top: Directory, unfinished: string, target: readonly string[]): Promise<boolean> {
  const name = target.at(-1);
  if (name === undefined) return false;
  await using parent = await top.enter(target.slice(0, -1));
  try {
    await fs.rename(top.at(unfinished), parent.at(name));
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST", "ENOTEMPTY", "ENOTDIR")) return false;
    throw error;
  }
}

async function merge(from: Directory, to: Directory): Promise<void> {
  for (const entry of await from.entries()) {
    if (entry.isDirectory()) {
      await using below = await from.enter([entry.name]);
      await using there = await to.enter([entry.name]);
      await merge(below, there);
    } else await moveOver(from, entry.name, to, entry.name);
  }
}

/** Replaces a file or symlink as a whole. Never writes through it and never replaces a directory. */
async function moveOver(from: Directory, name: string, to: Directory, as: string): Promise<void> {
  try {
    await fs.rename(from.at(name), to.at(as));
  } catch (error) {
    if (!hasCode(error, "EISDIR", "ENOTEMPTY", "EEXIST")) throw error;
    throw inTheWay(path.join(to.path, as), "is a directory where a file is to be restored", error);
  }
}
