/** Streams a tar on demand. */
import { createTarPacker } from "modern-tar";

/** Adds one entry after another. Each must be complete before the next one. */
export type TarWriter = Pick<ReturnType<typeof createTarPacker>["controller"], "add">;

/** Streams the tar that `fill` writes. An error of `fill` ends the iteration. */
export async function* tarStream(
  fill: (archive: TarWriter) => Promise<void>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { readable, controller } = createTarPacker();
  const filled = (async () => {
    try {
      await fill(controller);
      controller.finalize();
    } catch (error) {
      // The stream passes the error to its reader below.
      controller.error(error);
    }
  })();
  try {
    yield* readable;
  } finally {
    await filled;
  }
}
