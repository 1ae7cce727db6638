/** A tar that is made as it is read: one entry after another, each of a size that is known beforehand. */
import { createHash } from "node:crypto";
import { createTarPacker, type TarHeader } from "modern-tar";
import { Problem } from "../kernel/index.ts";
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
export async function* writeArchive(
  fill: (archive: ArchiveWriter) => Promise<void>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { readable, controller } = createTarPacker();
  const begin = (header: TarHeader) =>
    controller.add({ ...header, uid: 0, gid: 0, mtime: new Date(0) }).getWriter();
  const archive: ArchiveWriter = {
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
  };
  const filled = (async () => {
    try {
      await fill(archive);
      controller.finalize();
    } catch (error) {
      // Reaches the reader below through the stream.
      controller.error(error);
    }
  })();
  try {
    yield* readable;
  } finally {
    await filled;
  }
}
