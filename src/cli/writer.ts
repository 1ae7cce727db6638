/** A writer over a Node stream: the reader may go away (`| head`) without anybody seeing an error. */
import type { Writable } from "node:stream";
import { errorCode } from "../kernel/index.ts";
import type { Writer } from "./deps.ts";

type Stream = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

export function createWriter(stream: Stream): Writer {
  const gone = new AbortController();
  stream.on("error", (error) => {
    if (errorCode(error) !== "EPIPE" && errorCode(error) !== "ERR_STREAM_DESTROYED") throw error;
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
