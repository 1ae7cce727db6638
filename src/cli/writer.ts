/**
 * A writer over a Node stream. A reader that closes the stream (`| head`) causes no error. Other failures (a full disk, a
 * closed terminal) do not end the run; they are reported at the end.
 */
import type { Writable } from "node:stream";
import { errorCode } from "../kernel/index.ts";
import type { Writer } from "./deps.ts";

type Stream = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

export function createWriter(stream: Stream): Writer {
  const gone = new AbortController();
  let failure: Error | null = null;
  stream.on("error", (error) => {
    const code = errorCode(error);
    if (code !== "EPIPE" && code !== "ERR_STREAM_DESTROYED") failure ??= error;
    gone.abort();
  });
  return {
    write(chunk) {
      if (!gone.signal.aborted) stream.write(chunk);
    },
    async drained() {
      if (gone.signal.aborted || !stream.writableNeedDrain) return;
      await new Promise<void>((resolve) => {
        const done = () => {
          stream.off("drain", done);
          gone.signal.removeEventListener("abort", done);
          resolve();
        };
        stream.on("drain", done);
        gone.signal.addEventListener("abort", done);
      });
    },
    async flushed() {
      // A failed write emits an event, which may come after the callback.
      await new Promise((resolve) => stream.write("", () => setImmediate(resolve)));
      return failure;
    },
    get isTTY() {
      return stream.isTTY === true;
    },
    get columns() {
      return stream.columns || 80;
    },
    get rows() {
      return stream.rows || 24;
    },
    gone: gone.signal,
  };
}
