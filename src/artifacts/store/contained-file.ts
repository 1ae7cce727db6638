/**
 * Files of a workspace that a step may still be changing. Looking first and opening later can be raced by swapping a
 * directory for a symlink, so the opened file itself is asked where it lies; not a byte is read before.
 */
import { constants, existsSync } from "node:fs";
import fs, { type FileHandle } from "node:fs/promises";
import path from "node:path";
import { Problem } from "../../kernel/index.ts";
import { outputRefused, storageFailure } from "../failures.ts";
import type { ByteSource } from "./byte-source.ts";
import { hasCode } from "./file-system.ts";

const descriptors = "/proc/self/fd";
const hasDescriptors = existsSync(descriptors);

/** A path through an open directory: nobody can swap what lies above it. Without /proc it is the plain path. */
export function through(directory: { readonly fd: number; readonly path: string }, name: string): string {
  return hasDescriptors ? `${descriptors}/${directory.fd}/${name}` : path.join(directory.path, name);
}

/** The workspace's own path with all symlinks resolved: what "inside" is measured by. */
export async function realRoot(root: string): Promise<string> {
  try {
    return await fs.realpath(root);
  } catch (error) {
    throw outputRefused(root, "the workspace is gone", error);
  }
}

export interface ContainedFile extends ByteSource {
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
}

/** Where declared files are, and whose. */
export interface Container {
  /** Resolved: see `realRoot`. */
  readonly root: string;
  /** The uid that a file must have; any when absent. */
  readonly owner?: number;
}

/**
 * Opens a regular file inside the root; symlinks are followed as long as they stay inside. `fill` fails when the file
 * turns out to have changed since it was opened.
 * @throws Problem artifact_missing, artifact_corrupt (changed), storage_failed, each naming the path
 */
export async function openContained({ root, owner }: Container, file: string): Promise<ContainedFile> {
  const handle = await openInside(root, file, constants.O_NONBLOCK);
  try {
    const opened = await handle.stat({ bigint: true });
    if (!opened.isFile()) throw outputRefused(file, "it is not a regular file");
    if (owner !== undefined && opened.uid !== BigInt(owner))
      throw outputRefused(file, "it belongs to another account than the step's");
    return containedFile(handle, file, opened);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The target text of a symlink inside the root; null when it is none. */
export async function readContainedLink(root: string, file: string): Promise<string | null> {
  const parent = await openInside(root, path.dirname(file), constants.O_DIRECTORY, file);
  try {
    const directory = { fd: parent.fd, path: path.join(root, path.dirname(file)) };
    return await fs.readlink(through(directory, path.basename(file)));
  } catch (error) {
    if (hasCode(error, "EINVAL")) return null;
    throw refusal(file, error);
  } finally {
    await parent.close();
  }
}

async function openInside(root: string, file: string, flags: number, called = file): Promise<FileHandle> {
  try {
    // Opening a device or FIFO can have effects of its own: what visibly lies outside or is special is not opened.
    const real = await fs.realpath(path.join(root, file));
    if (!isInside(root, real)) throw outputRefused(called, "it leads out of the workspace");
    const seen = await fs.stat(real);
    if (!seen.isFile() && !seen.isDirectory()) throw outputRefused(called, `it is ${kindOf(seen)}`);
    const handle = await fs.open(real, constants.O_RDONLY | constants.O_NOFOLLOW | flags);
    try {
      if (!isInside(root, await whereabouts(handle, real)))
        throw outputRefused(called, "it leads out of the workspace");
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  } catch (error) {
    throw refusal(called, error);
  }
}

/** Where an open file lies now. Without /proc: where its path leads, provided that this is still the same file. */
async function whereabouts(handle: FileHandle, opened: string): Promise<string> {
  if (hasDescriptors) return fs.readlink(`${descriptors}/${handle.fd}`);
  const real = await fs.realpath(opened);
  const [there, here] = await Promise.all([fs.lstat(real), handle.stat()]);
  return there.ino === here.ino && there.dev === here.dev ? real : "/";
}

function isInside(root: string, real: string): boolean {
  return real === root || real.startsWith(root === "/" ? root : `${root}/`);
}

function refusal(file: string, error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (hasCode(error, "ENOENT", "ENOTDIR")) return outputRefused(file, "it does not exist", error);
  if (hasCode(error, "ELOOP")) return outputRefused(file, "its symbolic links do not end", error);
  if (hasCode(error, "ENXIO")) return outputRefused(file, "it is a socket or a FIFO", error);
  if (hasCode(error, "EACCES", "EPERM")) return outputRefused(file, "it may not be read", error);
  return storageFailure(`output ${JSON.stringify(file)}`, "reading it", error);
}

function kindOf(stat: { isSocket(): boolean; isFIFO(): boolean }): string {
  if (stat.isSocket()) return "a socket";
  return stat.isFIFO() ? "a FIFO" : "a device";
}

interface Opened {
  readonly size: bigint;
  readonly mode: bigint;
  readonly mtimeNs: bigint;
}

function containedFile(handle: FileHandle, file: string, opened: Opened): ContainedFile {
  const size = Number(opened.size);
  let position = 0;
  const changed = () =>
    new Problem(
      "artifact_corrupt",
      `${JSON.stringify(file)} changed while it was being stored; it is not kept`,
      {
        place: file,
        remedy: "End what still writes to the file before the step ends.",
      },
    );
  return {
    size,
    sizeHint: size,
    mode: Number(opened.mode) & 0o777,
    async fill(target) {
      const { bytesRead } = await handle.read(target, 0, target.length, position).catch((error: unknown) => {
        throw refusal(file, error);
      });
      position += bytesRead;
      if (position > size) throw changed();
      if (bytesRead > 0) return bytesRead;
      const now = await handle.stat({ bigint: true });
      if (position !== size || now.size !== opened.size || now.mtimeNs !== opened.mtimeNs) throw changed();
      return 0;
    },
    close: () => handle.close(),
  };
}
