/**
 * A connection of its own that LISTENs, because a pool's come and go. Notifications come with the commits that send
 * them, and one that is sent while the connection is down is lost: so there is a word for "from now on again", and who
 * remembers something forgets it all then. When nothing happens, nothing is asked.
 */
import pg from "pg";
import { type Clock, errorMessage, type Logger } from "../../kernel/index.ts";
import { clientConfig } from "./connection.ts";
import type { ConnectionSettings } from "./connection-settings.ts";

export interface Listener extends AsyncDisposable {
  /** True while every notification arrives. */
  readonly isUp: () => boolean;
  start(): void;
  /** Idempotent. */
  stop(): Promise<void>;
}

export interface ListenerOptions {
  readonly settings: ConnectionSettings;
  /** By channel: what to do with each payload. Must not throw. */
  readonly channels: Readonly<Record<string, (payload: string) => void>>;
  /** Before the first notification, and after each gap. Must not throw. */
  readonly onUp: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const againMs = 1_000;

export function createListener({ settings, channels, onUp, clock, log }: ListenerOptions): Listener {
  const stopping = new AbortController();
  let up = false;
  let running: Promise<void> | undefined;

  async function body(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await listenOnce(stopping.signal);
      } catch (error) {
        if (!stopping.signal.aborted)
          log.warn({ error: errorMessage(error) }, "the connection that listens is down; it is made again");
      }
      await clock.sleep(againMs, stopping.signal);
    }
  }

  async function listenOnce(signal: AbortSignal): Promise<void> {
    const client = new pg.Client(clientConfig(settings, { applicationName: "shipinator listener" }));
    const ended = Promise.withResolvers<void>();
    // Whoever waits has the reason; without a listener it would end the process.
    ended.promise.catch(() => undefined);
    const stop = () => ended.resolve();
    client.on("error", (error) => {
      up = false;
      ended.reject(error);
    });
    client.on("end", () => {
      up = false;
      ended.reject(new Error("the server has closed it"));
    });
    client.on("notification", ({ channel, payload }) => channels[channel]?.(payload ?? ""));
    signal.addEventListener("abort", stop, { once: true });
    try {
      await client.connect();
      for (const channel of Object.keys(channels))
        await client.query(`listen ${client.escapeIdentifier(channel)}`);
      onUp();
      up = true;
      await ended.promise;
    } finally {
      up = false;
      signal.removeEventListener("abort", stop);
      await client.end().catch(() => undefined);
    }
  }

  const listener: Listener = {
    isUp: () => up,
    start() {
      running ??= body();
    },
    async stop() {
      stopping.abort();
      await running;
    },
    [Symbol.asyncDispose]: () => listener.stop(),
  };
  return listener;
}
