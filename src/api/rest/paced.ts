/** Bodies that may take long: as long as they keep coming. */
import { Problem } from "../../kernel/index.ts";

export interface Pace {
  /** Milliseconds of waiting … */
  readonly patienceMs: number;
  /** … that must bring so many bytes. */
  readonly minBytes: number;
}

/** Slow networks do a hundred times that; a byte now and then is no upload. */
const usual: Pace = { patienceMs: 60_000, minBytes: 60 * 1_024 };

/**
 * The chunks of a body, until it is too slow. What counts is the time that we wait for the client: while we are the slow
 * ones, nothing runs out. @throws Problem request_timeout
 */
export async function* paced(
  source: AsyncIterable<Uint8Array>,
  { patienceMs, minBytes }: Pace = usual,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  let left = patienceMs;
  let missing = minBytes;
  try {
    for (;;) {
      const since = performance.now();
      const next = await within(iterator.next(), left);
      if (next.done === true) return;
      left -= performance.now() - since;
      missing -= next.value.length;
      if (missing <= 0) {
        left = patienceMs;
        missing = minBytes;
      }
      yield next.value;
    }
  } finally {
    // A stream that hangs would take its return after what it hangs on.
    void iterator.return?.()?.then(undefined, () => undefined);
  }
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      reject(
        new Problem("request_timeout", "The request's body comes too slowly.", {
          remedy: "Send it again; what was sent is not kept.",
        }),
      ),
    Math.max(0, ms),
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

/** @throws Problem payload_too_large */
export async function collect(source: AsyncIterable<Uint8Array>, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > most)
      throw new Problem("payload_too_large", `The request's body has more than ${most} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
