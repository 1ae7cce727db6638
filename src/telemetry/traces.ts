/**
 * Sends each run that has ended as a trace, by OTLP over HTTP. A trace is made of what is recorded, so a restart in the
 * middle of a run costs nothing; a collector that is away costs the traces of that time, and no run waits for it.
 */
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, type SpanExporter } from "@opentelemetry/sdk-trace";
import { errorMessage, type Logger } from "../kernel/index.ts";
import type { RunDetail } from "../services/index.ts";
import { spansOf } from "./spans.ts";

export interface TracesOptions {
  /** Of the collector; `/v1/traces` is added. */
  readonly endpoint: string;
  readonly version: string;
  readonly read: (runId: string) => Promise<RunDetail>;
  readonly log: Logger;
}

export interface Traces extends AsyncDisposable {
  /** The run has ended. */
  ended(runId: string): void;
}

/** Milliseconds; at the end of the program as long as one export may take. */
const delayMs = 1_000;
const exportMs = 5_000;

export function startTraces({ endpoint, version, read, log }: TracesOptions): Traces {
  const resource = resourceFromAttributes({ "service.name": "shipinator", "service.version": version });
  const processor = new BatchSpanProcessor({
    exporter: telling(
      new OTLPTraceExporter({ url: `${endpoint}/v1/traces`, timeoutMillis: exportMs }),
      endpoint,
      log,
    ),
    scheduledDelayMillis: delayMs,
    exportTimeoutMillis: exportMs,
  });
  const reading = new Set<Promise<void>>();

  async function send(runId: string): Promise<void> {
    try {
      for (const span of spansOf(await read(runId), resource)) processor.onEnd(span);
    } catch (error) {
      log.warn({ pipeline_run_id: runId, error: errorMessage(error) }, "no trace was made of a run");
    }
  }

  return {
    ended(runId) {
      const work = send(runId);
      reading.add(work);
      void work.finally(() => reading.delete(work));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(reading);
      await processor.shutdown().catch(() => undefined);
    },
  };
}

/** The exporter itself says nothing of what it could not send. */
function telling(exporter: SpanExporter, endpoint: string, log: Logger): SpanExporter {
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.code !== 0)
          log.warn(
            { endpoint, spans: spans.length, error: errorMessage(result.error) },
            "traces were not taken by the collector",
          );
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => await exporter.forceFlush?.(),
  };
}
