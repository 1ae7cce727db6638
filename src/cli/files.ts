/** File access of the commands: bounded reads, and atomic writes. */
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
        throw readProblem(error, path);
      }
    },
    async makeDirectory(path) {
      try {
        await mkdir(resolve(cwd, path), { recursive: true, mode: 0o700 });
      } catch (error) {
        throw writeProblem(error, path);
      }
    },
    create: (file) => create({ ...file, path: resolve(cwd, file.path) }),
    async remove(path) {
      try {
        await rm(resolve(cwd, path), { force: true });
      } catch (error) {
        throw new Problem("usage", `${path} cannot be removed: ${errorMessage(error)}.`, { cause: error });
      }
    },
  };
}

/** Reads the first `limit` bytes without waiting for the rest. */
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
    throw readProblem(error, shown);
  }
}

async function* streamOf(path: string, shown: string): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    await using file = await open(path, constants.O_RDONLY);
    yield* file.createReadStream({ autoClose: false, highWaterMark: 1 << 20 });
  } catch (error) {
    throw readProblem(error, shown);
  }
}

function readProblem(error: unknown, path: string): Problem {
  const code = errorCode(error);
  if (code === "ENOENT" || code === "ENOTDIR")
    return new Problem("not_found", `The file or directory ${path} does not exist.`, { cause: error });
  const because = code === "EACCES" || code === "EPERM" ? "permission denied" : errorMessage(error);
  return new Problem("usage", `${path} cannot be read: ${because}.`, { cause: error });
}

async function kindOf(path: string): Promise<FileKind> {
  try {
    const found = await stat(path);
    if (found.isFile()) return "file";
    return found.isDirectory() ? "directory" : "other";
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return "absent";
    throw readProblem(error, path);
  }
}

/** Creates a temporary file in the same directory, so that the final rename stays within one filesystem. */
async function create(file: NewFile): Promise<PendingFile> {
  const { path, overwrite, mode } = file;
  const kind = await kindOf(path);
  // A rename would replace a device such as /dev/null with a file.
  if (kind === "other") throw specialFileProblem(path);
  if (overwrite === "never" && kind !== "absent") throw existsProblem(path);
  const temporary = join(
    dirname(path),
    `.${basename(path).slice(0, 200)}.${randomBytes(6).toString("hex")}.part`,
  );
  const handle = await open(temporary, "wx", mode).catch((error: unknown) => {
    throw writeProblem(error, path);
  });
  let state: "writing" | "closed" | "gone" = "writing";

  async function finish(target: FileHandle): Promise<void> {
    await target.sync();
    state = "closed";
    await target.close();
    // A link fails when the name exists; a rename would replace a file that another process wrote.
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
        throw writeProblem(error, path);
      }
    },
    async commit() {
      try {
        await finish(handle);
      } catch (error) {
        throw errorCode(error) === "EEXIST" ? existsProblem(path) : writeProblem(error, path);
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

function existsProblem(path: string): Problem {
  return new Problem("conflict", `${path} already exists.`, {
    remedy: "Add --force to replace it, or choose another file.",
  });
}

function specialFileProblem(path: string): Problem {
  return new Problem("usage", `${path} is a device, pipe or socket and not a file.`, {
    remedy: "Choose a file, or use standard output with - and redirect it.",
  });
}

function writeProblem(error: unknown, path: string): Problem {
  const code = errorCode(error);
  if (code === "ENOENT" || code === "ENOTDIR")
    return new Problem(
      "usage",
      `${path} cannot be written, because the directory ${dirname(path)} does not exist.`,
      {
        cause: error,
      },
    );
  if (code === "EACCES" || code === "EPERM" || code === "EISDIR" || code === "EROFS")
    return new Problem("usage", `${path} cannot be written: ${errorMessage(error)}.`, { cause: error });
  return new Problem("storage_failed", `${path} cannot be written: ${errorMessage(error)}.`, {
    cause: error,
  });
}
