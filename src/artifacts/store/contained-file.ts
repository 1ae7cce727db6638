/**
 * Opens files of a workspace that a step may still change. A step could swap a directory for a symlink between check and
 * open, so the location of the opened file is checked before a byte is read.
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

/** Path through an open directory, whose parents cannot be swapped. Without /proc it is the plain path. */
export function through(directory: { readonly fd: number; readonly path: string }, name: string): string {
  return hasDescriptors ? `${descriptors}/${directory.fd}/${name}` : path.join(directory.path, name);
}

/** Resolves all symlinks of the workspace's path. */
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

/** Location and owner of declared files. */
export interface Container {
  /** Resolved: see `realRoot`. */
  readonly root: string;
  /** Required uid of a file. Default: any. */
  readonly owner?: number;
}

/**
 * Opens a regular file inside the root. Symlinks are followed if they stay inside. `fill` fails if the file has changed
 * since it was opened.
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

/** Reads the target of a symlink inside the root. Null if it is not a symlink. */
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
    // Opening a device or FIFO can have side effects, so check before opening, too.
    const real = await fs.realpath(path.join(root, file));
    if (!isInside(root, real)) throw outputRefused(called, "it leads out of the workspace");
    const seen = await fs.stat(real);
    if (!seen.isFile() && !seen.isDirectory()) throw outputRefused(called, `it is ${kindOf(seen)}`);
    const handle = await fs.open(real, constants.O_RDONLY | constants.O_NOFOLLOW | flags);
    try {
      if (!isInside(root, await currentPath(handle, real)))
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

/** Current path of an open file. Without /proc: its resolved path, if that is still the same file. */
async function currentPath(handle: FileHandle, opened: string): Promise<string> {
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
  return storageFailure(`Output ${JSON.stringify(file)}`, "reading it", error);
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
      `${JSON.stringify(file)} changed while it was being stored; it is not kept.`,
      {
        place: file,
        remedy: "Stop writing to the file before the step ends.",
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
