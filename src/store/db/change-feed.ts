/**
 * The change feed: one connection that LISTENs, for everything in this process that waits for a change. Changes
 * of all processes arrive, also those of this one. A notification that is sent while the connection is down is lost, so
 * subscribers hear of the gap and read again what they follow.
 */
import pg from "pg";
import {
  brandId,
  type Clock,
  type ExecutionId,
  errorMessage,
  type Logger,
  type RunId,
} from "../../kernel/index.ts";
import { clientConfig } from "./connection.ts";
import type { ConnectionSettings } from "./connection-settings.ts";

/** Callbacks must not throw. */
export interface ChangeSubscriber {
  /** A run has transitions up to this seq. */
  readonly run?: (id: RunId, seq: number) => void;
  /** A callback has changed what is known of an execution. */
  readonly execution?: (id: ExecutionId) => void;
  /** A token was revoked or removed. */
  readonly token?: (id: string) => void;
  /** Anything may have changed: the feed has begun, or was interrupted. */
  readonly gap?: () => void;
}

export interface ChangeFeed extends AsyncDisposable {
  /** Connects for the first subscriber. @returns ends the subscription */
  subscribe(subscriber: ChangeSubscriber): () => void;
  /** True while every notification arrives. */
  isUp(): boolean;
}

export interface ChangeFeedOptions {
  readonly settings: ConnectionSettings;
  readonly clock: Clock;
  readonly log: Logger;
}

export const changeChannel = "shipinator_changes";
const reconnectMs = 1_000;

export function createChangeFeed({ settings, clock, log }: ChangeFeedOptions): ChangeFeed {
  const subscribers = new Set<ChangeSubscriber>();
  const stopping = new AbortController();
  let up = false;
  let running: Promise<void> | undefined;

  function publishGap(): void {
    for (const subscriber of subscribers) subscriber.gap?.();
  }

  function publish(payload: string): void {
    const [kind, ...values] = payload.split(" ");
    for (const subscriber of subscribers) {
      if (kind === "runs")
        for (let at = 0; at < values.length; at += 2)
          subscriber.run?.(brandId<RunId>(values[at] ?? ""), Number(values[at + 1]));
      else if (kind === "execution") subscriber.execution?.(brandId<ExecutionId>(values[0] ?? ""));
      else if (kind === "token") subscriber.token?.(values[0] ?? "");
    }
  }

  async function keepListening(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await listenOnce(stopping.signal);
      } catch (error) {
        if (!stopping.signal.aborted)
          log.warn({ error: errorMessage(error) }, "the change feed's connection is down; it reconnects");
      }
      await clock.sleep(reconnectMs, stopping.signal);
    }
  }

  async function listenOnce(signal: AbortSignal): Promise<void> {
    const client = new pg.Client(clientConfig(settings, { applicationName: "shipinator listener" }));
    const ended = Promise.withResolvers<void>();
    // An unhandled rejection would end the process.
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
    client.on("notification", ({ payload }) => publish(payload ?? ""));
    signal.addEventListener("abort", stop, { once: true });
    try {
      await client.connect();
      await client.query(`listen ${changeChannel}`);
      publishGap();
      up = true;
      await ended.promise;
    } finally {
      up = false;
      signal.removeEventListener("abort", stop);
      await client.end().catch(() => undefined);
    }
  }

  return {
    subscribe(subscriber) {
      subscribers.add(subscriber);
      running ??= keepListening();
      return () => subscribers.delete(subscriber);
    },
    isUp: () => up,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}
