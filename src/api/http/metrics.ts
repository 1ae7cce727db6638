/**
 * Metrics for Prometheus. Labels are bounded: routes as they are declared, states, reasons. Each scrape asks the database
 * for the work that waits, so that nothing is asked while nobody looks.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ChangeSet } from "../../domain/index.ts";
import { isFinalExecution, isFinalRun } from "../../domain/index.ts";
import type { Watch } from "../../services/index.ts";

export interface Metrics {
  observe(
    request: { readonly method: string; readonly route: string; readonly status: number },
    ms: number,
  ): void;
  recorded(changes: ChangeSet): void;
  /** The page, and its type. */
  read(): Promise<{ readonly type: string; readonly text: string }>;
}

export function createMetrics(watch: Watch, streams: () => number): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: "shipinator_http_request_duration_seconds",
    help: "Requests by route, from their first byte to the last of the answer",
    labelNames: ["method", "route", "status"],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30],
    registers,
  });
  const runs = new Counter({
    name: "shipinator_runs_finished_total",
    help: "Runs that this process has brought to their end",
    labelNames: ["status", "reason"],
    registers,
  });
  const executions = new Counter({
    name: "shipinator_executions_finished_total",
    help: "Attempts at steps that have ended, by how and why",
    labelNames: ["state", "reason"],
    registers,
  });
  const unfinished = new Gauge({
    name: "shipinator_runs_unfinished",
    help: "Runs of all servers of the database that are not over",
    labelNames: ["status"],
    registers,
  });
  const queued = new Gauge({
    name: "shipinator_queue_executions",
    help: "Attempts that wait for a slot",
    registers,
  });
  const oldest = new Gauge({
    name: "shipinator_queue_oldest_seconds",
    help: "How long the first of them has waited",
    registers,
  });
  const pool = new Gauge({
    name: "shipinator_database_connections",
    help: "Connections of this process, and callers that wait for one",
    labelNames: ["state"],
    registers,
  });
  const open = new Gauge({
    name: "shipinator_streams_open",
    help: "Followers of events and logs",
    registers,
  });

  async function refresh(): Promise<void> {
    const [now, connections] = await Promise.all([watch.statistics(), watch.connections()]);
    unfinished.set({ status: "pending" }, now.pending_runs);
    unfinished.set({ status: "running" }, now.running_runs);
    queued.set(now.queued);
    oldest.set(now.oldest_seconds);
    const { total, idle, waiting } = connections;
    pool.set({ state: "total" }, total);
    pool.set({ state: "idle" }, idle);
    pool.set({ state: "waiting" }, waiting);
    open.set(streams());
  }

  return {
    observe({ method, route, status }, ms) {
      requests.observe({ method, route, status: `${Math.floor(status / 100)}xx` }, ms / 1000);
    },
    recorded({ run, executions: moved }) {
      if (run?.status && isFinalRun(run.status.to))
        runs.inc({ status: run.status.to, reason: run.reason ?? "none" });
      for (const { path, reason } of moved) {
        const state = path.at(-1);
        if (state !== undefined && isFinalExecution(state))
          executions.inc({ state, reason: reason ?? "none" });
      }
    },
    async read() {
      await refresh();
      return { type: registry.contentType, text: await registry.metrics() };
    },
  };
}
