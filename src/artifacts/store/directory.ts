/** Open directory to write into, so that no symlink on the path can redirect a write. */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import fs, { type FileHandle } from "node:fs/promises";
import path from "node:path";
import { Problem } from "../../kernel/index.ts";
import { through } from "./contained-file.ts";
import { hasCode } from "./file-system.ts";

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export class Directory implements AsyncDisposable {
  /** Path for messages. All access goes through the descriptor. */
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #owner: Owner | undefined;

  private constructor(handle: FileHandle, at: string, owner: Owner | undefined) {
    this.#handle = handle;
    this.path = at;
    this.#owner = owner;
  }

  /** Opens the root, which the caller trusts, so symlinks to it are followed. */
  static async open(root: string, owner?: Owner): Promise<Directory> {
    return new Directory(await fs.open(root, constants.O_RDONLY | constants.O_DIRECTORY), root, owner);
  }

  /** Path of a name in this directory, for a system call that does not follow the last component. */
  at(name: string): string {
    return through({ fd: this.#handle.fd, path: this.path }, name);
  }

  /** Opens a subdirectory and creates missing ones. @throws Problem conflict if a file or symlink is in the way */
  async enter(segments: readonly string[]): Promise<Directory> {
    const [first, ...rest] = segments;
    if (first === undefined)
      return Directory.open(this.at("."), this.#owner).then((copy) => copy.#called(this.path));
    const next = await this.#child(first);
    if (rest.length === 0) return next;
    try {
      return await next.enter(rest);
    } finally {
      await next[Symbol.asyncDispose]();
    }
  }

  async makeDirectory(name: string): Promise<void> {
    await fs.mkdir(this.at(name), { mode: 0o755 });
    if (this.#owner !== undefined) await fs.lchown(this.at(name), this.#owner.uid, this.#owner.gid);
  }

  /** Writes a new file with exactly this mode. Fails with EEXIST if the name exists, even as a symlink. */
  async writeFile(name: string, mode: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const handle = await fs.open(this.at(name), "wx", 0o600);
    try {
      for await (const chunk of chunks) await handle.writeFile(chunk);
      if (this.#owner !== undefined) await handle.chown(this.#owner.uid, this.#owner.gid);
      await handle.chmod(mode);
    } finally {
      await handle.close();
    }
  }

  async link(name: string, target: string): Promise<void> {
    await fs.symlink(target, this.at(name));
    if (this.#owner !== undefined) await fs.lchown(this.at(name), this.#owner.uid, this.#owner.gid);
  }

  async entries(): Promise<readonly { readonly name: string; isDirectory(): boolean }[]> {
    return fs.readdir(this.at("."), { withFileTypes: true });
  }

  async remove(name: string): Promise<void> {
    await fs.rm(this.at(name), { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  #called(at: string): Directory {
    return new Directory(this.#handle, at, this.#owner);
  }

  async #child(name: string): Promise<Directory> {
    const at = path.join(this.path, name);
    try {
      await this.makeDirectory(name).catch((error: unknown) => {
        if (!hasCode(error, "EEXIST")) throw error;
      });
      return new Directory(await fs.open(this.at(name), directoryFlags), at, this.#owner);
    } catch (error) {
      if (!hasCode(error, "ELOOP", "ENOTDIR")) throw error;
      throw inTheWay(at, "is a file or a symbolic link where a directory is needed", error);
    }
  }
}

/** Unique hidden name for unfinished content. */
export const unfinishedName = (): string => `.shipinator-${randomBytes(8).toString("hex")}`;

export function inTheWay(at: string, fact: string, cause: unknown): Problem {
  return new Problem("conflict", `${at} ${fact}; nothing is written through it or over it.`, {
    place: at,
    remedy: "Remove it from the repository, or declare the output under another path.",
    cause,
  });
}
