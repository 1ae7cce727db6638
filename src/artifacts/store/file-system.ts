/** Interface to the storage, so that tests can fail like NFS and full disks. */
import { constants } from "node:fs";
import fs, { type FileHandle } from "node:fs/promises";

export interface StoredFile {
  /** Reads into `target` from `position` and returns the number of bytes, 0 at the end. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Writes all of `bytes`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** File operations. Errors are Node's, with their `code`. */
export interface FileSystem {
  openForRead(path: string): Promise<StoredFile>;
  /** Fails if it exists. */
  create(path: string): Promise<StoredFile>;
  /** Makes a directory with its parents. Succeeds if it exists. */
  makeDirectory(path: string): Promise<void>;
  /** Syncs a directory. A network filesystem also reads it from the server again. */
  syncDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file or a whole directory. Succeeds if it is absent. */
  remove(path: string): Promise<void>;
  /** Lists the names in a directory. Empty if it is absent. */
  list(path: string): Promise<readonly string[]>;
  freeBytes(path: string): Promise<number>;
}

export const nodeFileSystem: FileSystem = {
  openForRead: async (path) => stored(await fs.open(path, constants.O_RDONLY)),
  create: async (path) => stored(await fs.open(path, "wx", 0o644)),
  makeDirectory: async (path) => {
    await fs.mkdir(path, { recursive: true });
  },
  async syncDirectory(path) {
    const directory = await fs.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await directory.sync();
    } catch (error) {
      // Some filesystems cannot sync a directory and say so; their rename is as durable as it gets.
      if (!hasCode(error, "EINVAL", "ENOTSUP")) throw error;
    } finally {
      await directory.close();
    }
  },
  rename: fs.rename,
  remove: (path) => fs.rm(path, { recursive: true, force: true }),
  async list(path) {
    try {
      return await fs.readdir(path);
    } catch (error) {
      if (hasCode(error, "ENOENT")) return [];
      throw error;
    }
  },
  async freeBytes(path) {
    const { bavail, bsize } = await fs.statfs(path);
    return bavail * bsize;
  },
};

/** True if an error has one of the codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return typeof error.code === "string" && codes.includes(error.code);
}

function stored(handle: FileHandle): StoredFile {
  return {
    read: async (target, position) => (await handle.read(target, 0, target.length, position)).bytesRead,
    async write(bytes, position) {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
        done += bytesWritten;
      }
    },
    sync: () => handle.sync(),
    close: () => handle.close(),
  };
}
