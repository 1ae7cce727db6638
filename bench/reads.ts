/** Reads over HTTP, and how late the last hundredth of them is answered. */
import { Agent, request } from "node:http";
import { setTimeout } from "node:timers/promises";

type Headers = Readonly<Record<string, string>>;

export interface Reading {
  readonly connections: number;
  /** Of each connection. */
  readonly reads: number;
  /** Between two of a connection; 0: none. */
  readonly pauseMs: number;
}

/** Milliseconds, the 99th percentile of reads of these in turn. */
export async function p99(
  urls: readonly string[],
  headers: Headers,
  { connections, reads, pauseMs }: Reading,
): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const took: number[] = [];
  await Promise.all(
    Array.from({ length: connections }, async (_, index) => {
      // Not all in step, as ten programs are not; and what opens its connection is no read yet.
      await setTimeout((pauseMs * index) / connections);
      await read(urls[index % urls.length] ?? "", { agent, headers });
      for (let left = reads; left > 0; left--) {
        const from = performance.now();
        await read(urls[(left + index) % urls.length] ?? "", { agent, headers });
        took.push(performance.now() - from);
        if (pauseMs > 0) await setTimeout(pauseMs);
      }
    }),
  );
  agent.destroy();
  return took.toSorted((a, b) => a - b)[Math.floor(took.length * 0.99)] ?? Number.NaN;
}

/** To its last byte; with a body a POST. */
export function read(
  url: string,
  { agent, headers, body }: { readonly agent: Agent; readonly headers: Headers; readonly body?: string },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const asked = request(url, { agent, headers, method }, (response) => {
      const { statusCode = 0 } = response;
      if (statusCode < 200 || statusCode >= 300) reject(new Error(`${statusCode} of ${url}`));
      response.resume();
      response.on("end", resolve);
    });
    asked.on("error", reject);
    asked.end(body);
  });
}
