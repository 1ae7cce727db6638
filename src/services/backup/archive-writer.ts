/** A tar that is made as it is read: one entry after another, each of a size that is known beforehand. */
import { createHash } from "node:crypto";
import type { TarHeader } from "modern-tar";
import { tarStream } from "../../artifacts/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { BackupEntry } from "./format.ts";

export interface NewEntry {
  readonly name: string;
  readonly size: number;
  /** Exactly `size` bytes. */
  readonly bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

export interface ArchiveWriter {
  /** @throws Problem storage_failed when there are fewer or more bytes than were announced */
  file(entry: NewEntry): Promise<BackupEntry>;
  directory(name: string): Promise<void>;
}

/** The bytes of an archive that `fill` fills; what it throws ends them. */
export const writeArchive = (fill: (archive: ArchiveWriter) => Promise<void>) =>
  tarStream(async (tar) => {
    const begin = (header: TarHeader) =>
      tar.add({ ...header, uid: 0, gid: 0, mtime: new Date(0) }).getWriter();
    await fill({
      async file({ name, size, bytes }) {
        const body = begin({ name, size, type: "file", mode: 0o600 });
        const hash = createHash("sha256");
        let written = 0;
        try {
          for await (const chunk of bytes) {
            written += chunk.length;
            if (written > size) break;
            hash.update(chunk);
            await body.write(chunk);
          }
          if (written !== size)
            throw new Problem("storage_failed", `${name} has other than its ${size} bytes`, {
              remedy: "Something changes it beside Shipinator, or its disk is failing; try again.",
            });
          await body.close();
        } catch (error) {
          await body.abort(error).catch(() => undefined);
          throw error;
        }
        return { name, size, sha256: hash.digest("hex") };
      },
      async directory(name) {
        await begin({ name: `${name}/`, size: 0, type: "directory", mode: 0o700 }).close();
      },
    });
  });
