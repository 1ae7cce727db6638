/** `Client` over runs in memory. Counts what is asked, so that tests can see what a command costs. */
import { Problem } from "../../../../src/kernel/index.ts";
import type {
  Client,
  DeploymentDetail,
  RunFilter,
  RunSummary,
  RunWhy,
  TriggerRequest,
} from "../../../../src/services/index.ts";
import type { FakeRun } from "./fake-run.ts";

export interface FakeClient extends Client {
  readonly asked: string[];
  readonly triggered: TriggerRequest[];
  /** What lists were asked for, without their pages. */
  readonly filters: Omit<RunFilter, "limit" | "cursor">[];
}

export interface FakeClientOptions {
  readonly runs: readonly FakeRun[];
  readonly abandoned?: readonly FakeRun[];
  readonly notes?: readonly string[];
  readonly payload?: Uint8Array;
  readonly deployments?: readonly DeploymentDetail[];
  /** Called when the first run is triggered; throws what the trigger shall throw. */
  readonly onTrigger?: (run: FakeRun) => void;
  readonly onCancel?: (run: FakeRun) => void;
  /** What a run that nothing runs of waits for. */
  readonly causes?: () => RunWhy["causes"];
  readonly onResume?: (run: FakeRun) => void;
}

export function createFakeClient(options: FakeClientOptions): FakeClient {
  const { runs, abandoned = [], notes = [] } = options;
  const all = [...runs, ...abandoned];
  const waiting = new Set(abandoned);
  const asked: string[] = [];
  const triggered: TriggerRequest[] = [];
  const filters: FakeClient["filters"] = [];

  function find(reference: string): FakeRun {
    const found = all.find(
      ({ detail }) =>
        reference === "latest" || detail.id.startsWith(reference) || String(detail.number) === reference,
    );
    if (found === undefined) throw new Problem("not_found", `there is no run "${reference}"`);
    return found;
  }

  function withExecution(id: string): FakeRun {
    const found = all.find((run) => run.logs.has(id));
    if (found === undefined) throw new Problem("not_found", `there is no execution ${id}`);
    return found;
  }

  const none = async (): Promise<never> => {
    throw new Problem("internal", "this fake does not know that");
  };
  return {
    asked,
    triggered,
    filters,
    projects: { create: none, get: none, list: none, update: none, remove: none },
    repositories: { create: none, get: none, list: none, update: none, remove: none, check: none },
    pipelines: { create: none, get: none, list: none, update: none, remove: none },
    tokens: { create: none, list: none, revoke: none },
    secrets: { put: none, list: none, remove: none, rotate: none },
    registries: { put: none, list: none, remove: none },
    audit: none,
    whoami: none,
    retry: none,
    async why(reference) {
      asked.push(`why ${reference}`);
      const { id, status, phase } = find(reference).detail;
      const causes = options.causes?.() ?? [];
      return {
        run_id: id,
        status,
        phase,
        summary: causes.map(({ message }) => message).join("; "),
        causes,
        notes: [],
      };
    },
    async trigger(request) {
      triggered.push(request);
      const run = runs[0];
      if (run === undefined) throw new Problem("config_invalid", "nothing to run");
      options.onTrigger?.(run);
      return { run: run.snapshot(), notes };
    },
    async list({ limit = 20, cursor, ...filter }) {
      asked.push("list");
      filters.push(filter);
      const { status } = filter;
      const from = Number(cursor ?? 0);
      const matching = all.filter(({ detail }) => status === undefined || detail.status === status);
      const items: readonly RunSummary[] = matching.slice(from, from + limit).map((run) => run.snapshot());
      return { items, next_cursor: from + limit < matching.length ? String(from + limit) : null };
    },
    async get(reference) {
      asked.push("get");
      return find(reference).snapshot();
    },
    head: async (reference) => find(reference).snapshot(),
    async *events(runId, afterSeq, signal) {
      const run = find(runId);
      let seq = afterSeq;
      while (!signal.aborted) {
        const events = run.events.filter((event) => event.seq > seq);
        for (const event of events) {
          seq = event.seq;
          yield event;
        }
        if (run.isFinal && events.length === 0) return;
        if (events.length === 0) await run.changed(signal);
      }
    },
    async *eventPieces() {
      yield await none();
    },
    async *log({ executionId, offset, follow }, signal) {
      asked.push("log");
      const run = withExecution(executionId);
      const log = run.logOf(executionId);
      let at = 0;
      for (let index = 0; !signal.aborted; ) {
        const bytes = log.chunks[index];
        if (bytes !== undefined) {
          index += 1;
          if (at >= offset) yield { offset: at, bytes };
          at += bytes.length;
        } else if (log.ended || !follow) return;
        else await run.changed(signal);
      }
    },
    async logInfo(executionId) {
      const log = withExecution(executionId).logOf(executionId);
      const bytes = log.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      return { bytes, dropped: 0, state: log.ended ? "ended" : "open", log_incomplete: false };
    },
    logTimes: async (executionId) => withExecution(executionId).logOf(executionId).times,
    executionOf: none,
    async logTail(executionId, lines) {
      asked.push("logTail");
      const text = Buffer.concat(withExecution(executionId).logOf(executionId).chunks).toString("latin1");
      const all = text.replace(/\n$/, "").split("\n");
      return Buffer.from(`${all.slice(-lines).join("\n")}\n`, "latin1");
    },
    async cancel(runId) {
      asked.push("cancel");
      const run = find(runId);
      if (run.isFinal) return "final";
      run.detail.cancel_requested_at = run.detail.created_at;
      options.onCancel?.(run);
      return "requested";
    },
    async force() {
      asked.push("force");
    },
    async artifact(reference) {
      const found = all
        .flatMap(({ detail }) => detail.artifacts.map((artifact) => ({ artifact, detail })))
        .find(
          ({ artifact, detail }) =>
            artifact.id === reference || `${detail.number}/${artifact.name}` === reference,
        );
      if (found === undefined) throw new Problem("not_found", `there is no artifact "${reference}"`);
      return found.artifact;
    },
    async *download() {
      yield options.payload ?? new Uint8Array();
    },
    async deployments({ limit = 20, cursor }) {
      asked.push("deployments");
      const from = Number(cursor ?? 0);
      const { deployments = [] } = options;
      const items = deployments.slice(from, from + limit);
      return { items, next_cursor: from + limit < deployments.length ? String(from + limit) : null };
    },
    async resolveDeployment(reference, outcome, by) {
      asked.push("resolveDeployment");
      const found = options.deployments?.find(({ id }) => id.startsWith(reference));
      if (found === undefined) throw new Problem("not_found", `there is no deployment "${reference}"`);
      return { ...found, outcome, resolved_by: by };
    },
    async abandoned() {
      return [...waiting].map((run) => run.snapshot());
    },
    async resume(runId) {
      asked.push("resume");
      const run = find(runId);
      waiting.delete(run);
      options.onResume?.(run);
    },
  };
}
