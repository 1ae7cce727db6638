/** A tar whose bytes come as they are asked for. */
import { createTarPacker } from "modern-tar";

/** One entry after another: each is written to its end before the next one is added. */
export type TarWriter = Pick<ReturnType<typeof createTarPacker>["controller"], "add">;

/** The bytes of the tar that `fill` fills; what it throws ends them, and comes out of the iteration. */
export async function* tarStream(
  fill: (archive: TarWriter) => Promise<void>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { readable, controller } = createTarPacker();
  const filled = (async () => {
    try {
      await fill(controller);
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
