/** Where the bytes of a put come from: filled into the caller's buffers, so that large files cost no allocation. */

export interface ByteSource {
  /** Bytes put into `target` from its start; 0 at the end. */
  fill(target: Uint8Array): Promise<number>;
  /** Bytes to come, where known; it only sizes buffers. */
  readonly sizeHint: number | null;
  close(): Promise<void>;
}

/** A stream of chunks of any size as a source. Closing before the end tells the stream so. */
export function streamSource(chunks: AsyncIterable<Uint8Array>): ByteSource {
  const iterator = chunks[Symbol.asyncIterator]();
  let current: Uint8Array = new Uint8Array(0);
  let ended = false;
  let waiting = false;
  return {
    sizeHint: null,
    async fill(target) {
      let filled = 0;
      while (filled < target.length) {
        if (current.length === 0) {
          waiting = true;
          const next = ended ? { done: true as const } : await iterator.next();
          waiting = false;
          if (next.done) {
            ended = true;
            break;
          }
          current = next.value;
          continue;
        }
        const part = current.subarray(0, target.length - filled);
        target.set(part, filled);
        filled += part.length;
        current = current.subarray(part.length);
      }
      return filled;
    },
    async close() {
      if (ended) return;
      const returned = Promise.resolve(iterator.return?.());
      // A generator that hangs takes its return only after what it hangs on; whoever aborted does not wait for that.
      if (waiting) returned.catch(() => undefined);
      else await returned;
    },
  };
}

/**
 * Reads the body of a tar's entry that nobody wants. It is never canceled: modern-tar 0.8.6 would then take the body of
 * the entry that it has begun meanwhile for the canceled one, and that one would never end.
 */
export async function drain(body: ReadableStream<Uint8Array>): Promise<void> {
  for await (const _ of body);
}
