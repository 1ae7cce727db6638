/** Sources of a put's bytes. They fill the caller's buffers, so that large files cost no allocation. */

export interface ByteSource {
  /** Fills `target` from its start and returns the number of bytes, 0 at the end. */
  fill(target: Uint8Array): Promise<number>;
  /** Expected number of bytes, if known. It only sizes buffers. */
  readonly sizeHint: number | null;
  close(): Promise<void>;
}

/** Reads from a stream with chunks of any size. `close` before the end ends the stream. */
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
      // A hanging generator handles `return` only later, so an abort does not wait for it.
      if (waiting) returned.catch(() => undefined);
      else await returned;
    },
  };
}

/**
 * Reads and drops the body of a tar entry. It does not cancel the body: modern-tar 0.8.6 would cancel the body of the next
 * entry instead, which would then never end.
 */
export async function drain(body: ReadableStream<Uint8Array>): Promise<void> {
  for await (const _ of body);
}
