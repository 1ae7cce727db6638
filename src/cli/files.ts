/** The filesystem, as the commands see it: bounded reads, and files that appear whole or not at all. */
import { randomBytes } from "node:crypto";
import {
  constants,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  unlink,
} from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { errorCode, errorMessage, Problem } from "../kernel/index.ts";
import type { FileKind, Files, NewFile, PendingFile } from "./deps.ts";

export function createFiles(cwd: string): Files {
  return {
    read: (path, limit) => readBounded(resolve(cwd, path), path, limit),
    stream: (path) => streamOf(resolve(cwd, path), path),
    kind: (path) => kindOf(resolve(cwd, path)),
    async names(path) {
      try {
        return await readdir(resolve(cwd, path));
      } catch (error) {
        throw unreadable(error, path);
      }
    },
    async makeDirectory(path) {
      try {
        await mkdir(resolve(cwd, path), { recursive: true, mode: 0o700 });
      } catch (error) {
        throw unwritable(error, path);
      }
    },
    create: (file) => create({ ...file, path: resolve(cwd, file.path) }),
    async remove(path) {
      try {
        await rm(resolve(cwd, path), { force: true });
      } catch (error) {
        throw new Problem("usage", `${path} cannot be removed: ${errorMessage(error)}`, { cause: error });
      }
    },
  };
}

/** The first `limit` bytes; what comes after them is not waited for. */
export async function readUpTo(stream: AsyncIterable<Uint8Array>, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= limit) break;
  }
  return Buffer.concat(chunks).subarray(0, limit);
}

async function readBounded(path: string, shown: string, limit: number): Promise<Uint8Array> {
  try {
    await using file = await open(path, constants.O_RDONLY);
    const buffer = Buffer.alloc(limit);
    let length = 0;
    while (length < limit) {
      const { bytesRead } = await file.read(buffer, length, limit - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } catch (error) {
    throw unreadable(error, shown);
  }
}

async function* streamOf(path: string, shown: string): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    await using file = await open(path, constants.O_RDONLY);
    yield* file.createReadStream({ autoClose: false, highWaterMark: 1 << 20 });
  } catch (error) {
    throw unreadable(error, shown);
  }
}

function unreadable(error: unknown, path: string): Problem {
  const code = errorCode(error);
  if (code === "ENOENT" || code === "ENOTDIR")
    return new Problem("not_found", `there is no file or directory ${path}`, { cause: error });
  const because =
    code === "EACCES" || code === "EPERM" ? "this account may not read it" : errorMessage(error);
  return new Problem("usage", `${path} cannot be read: ${because}`, { cause: error });
}

async function kindOf(path: string): Promise<FileKind> {
  try {
    const found = await stat(path);
    if (found.isFile()) return "file";
    return found.isDirectory() ? "directory" : "other";
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return "absent";
    throw unreadable(error, path);
  }
}

/** Written beside its final name, so that the last step is a rename within one filesystem. */
async function create(file: NewFile): Promise<PendingFile> {
  const { path, overwrite, mode } = file;
  const kind = await kindOf(path);
  // A rename would put a file in the place of /dev/null.
  if (kind === "other") throw special(path);
  if (overwrite === "never" && kind !== "absent") throw taken(path);
  const temporary = join(
    dirname(path),
    `.${basename(path).slice(0, 200)}.${randomBytes(6).toString("hex")}.part`,
  );
  const handle = await open(temporary, "wx", mode).catch((error: unknown) => {
    throw unwritable(error, path);
  });
  let state: "writing" | "closed" | "gone" = "writing";

  async function finish(target: FileHandle): Promise<void> {
    await target.sync();
    state = "closed";
    await target.close();
    // A link fails where the name is taken; a rename would replace what somebody else wrote meanwhile.
    if (overwrite === "replace") await rename(temporary, path);
    else {
      await link(temporary, path);
      await unlink(temporary);
    }
    state = "gone";
  }

  return {
    async write(chunk) {
      try {
        await handle.writeFile(chunk);
      } catch (error) {
        throw unwritable(error, path);
      }
    },
    async commit() {
      try {
        await finish(handle);
      } catch (error) {
        throw errorCode(error) === "EEXIST" ? taken(path) : unwritable(error, path);
      }
    },
    async discard() {
      if (state === "gone") return;
      if (state === "writing") await handle.close();
      state = "gone";
      await unlink(temporary);
    },
  };
}

function taken(path: string): Problem {
  return new Problem("conflict", `${path} exists already and is left as it is`, {
    remedy: "Add --force to replace it, or name another file.",
  });
}

function special(path: string): Problem {
  return new Problem("usage", `${path} is a device, pipe or socket, which a file would replace`, {
    remedy:
      "Name a file; or let the bytes go to standard output, where the command has --to -, and redirect that.",
  });
}

function unwritable(error: unknown, path: string): Problem {
  const code = errorCode(error);
  if (code === "ENOENT" || code === "ENOTDIR")
    return new Problem("usage", `${path} cannot be written: there is no directory ${dirname(path)}`, {
      cause: error,
    });
  if (code === "EACCES" || code === "EPERM" || code === "EISDIR" || code === "EROFS")
    return new Problem("usage", `${path} cannot be written: ${errorMessage(error)}`, { cause: error });
  return new Problem("storage_failed", `${path} cannot be written: ${errorMessage(error)}`, { cause: error });
}
