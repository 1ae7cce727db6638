/**
 * Sends each ended run as a trace by OTLP over HTTP. Traces are built from the database, so a restart during a run loses
 * nothing. While the collector is unreachable, traces are lost, and no run waits for it.
 */
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, type SpanExporter } from "@opentelemetry/sdk-trace";
import { errorMessage, type Logger } from "../kernel/index.ts";
import type { RunDetail } from "../services/index.ts";
import { spansOf } from "./spans.ts";

export interface TracesOptions {
  /** Address of the collector, to which `/v1/traces` is appended. */
  readonly endpoint: string;
  readonly version: string;
  readonly read: (runId: string) => Promise<RunDetail>;
  readonly log: Logger;
}

export interface Traces extends AsyncDisposable {
  runEnded(runId: string): void;
}

const delayMs = 1_000;
const exportMs = 5_000;

export function startTraces({ endpoint, version, read, log }: TracesOptions): Traces {
  const resource = resourceFromAttributes({ "service.name": "shipinator", "service.version": version });
  const processor = new BatchSpanProcessor({
    exporter: logFailures(
      new OTLPTraceExporter({ url: `${endpoint}/v1/traces`, timeoutMillis: exportMs }),
      endpoint,
      log,
    ),
    scheduledDelayMillis: delayMs,
    exportTimeoutMillis: exportMs,
  });
  const pending = new Set<Promise<void>>();

  async function send(runId: string): Promise<void> {
    try {
      for (const span of spansOf(await read(runId), resource)) processor.onEnd(span);
    } catch (error) {
      log.warn({ pipeline_run_id: runId, error: errorMessage(error) }, "a run was not traced");
    }
  }

  return {
    runEnded(runId) {
      const work = send(runId);
      pending.add(work);
      void work.finally(() => pending.delete(work));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(pending);
      await processor.shutdown().catch(() => undefined);
    },
  };
}

/** Logs failed exports, which the exporter itself does not report. */
function logFailures(exporter: SpanExporter, endpoint: string, log: Logger): SpanExporter {
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.code !== 0)
          log.warn(
            { endpoint, spans: spans.length, error: errorMessage(result.error) },
            "traces were not exported",
          );
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => await exporter.forceFlush?.(),
  };
}
