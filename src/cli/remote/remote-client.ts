/** The `Client` of a server somewhere else, or of the one that runs on this machine. */
import { type Clock, Problem } from "../../kernel/index.ts";
import type {
  ByteRange,
  Client,
  LogChunk,
  LogTime,
  NewRun,
  PipelineClient,
  ProjectClient,
  RegistryClient,
  RegistryLogin,
  RepositoryClient,
  RunAccepted,
  RunDetail,
  RunEvent,
  SecretClient,
  SecretDetail,
  TokenClient,
  TriggerRequest,
} from "../../services/index.ts";
import { runTitle } from "../watch/step-line.ts";
import { follow } from "./event-source.ts";
import { BrokenAnswer } from "./exchange.ts";
import type { Transport } from "./transport.ts";

/** Attempts at a download that breaks. */
const attempts = 5;
/** The most of a log's end that is asked for, and how long for. */
const tailBytes = 262_144;
/** Bytes that are asked for with each line, so that a short tail takes fewer. */
const lineBytes = 4_096;
const tailMs = 30_000;

export function createRemoteClient(transport: Transport, clock: Clock): Client {
  const { json } = transport;
  const run = (reference: string) => `/v1/pipeline-runs/${encodeURIComponent(reference)}`;

  async function* events(id: string, afterSeq: number, signal: AbortSignal): AsyncGenerator<RunEvent> {
    const path = `${run(id)}/events`;
    for await (const { event, data } of follow(transport, clock, { path, after: String(afterSeq), signal }))
      if (event === "transition") yield JSON.parse(data);
  }

  async function* log(
    { executionId, offset, follow: on }: Parameters<Client["log"]>[0],
    signal: AbortSignal,
  ): AsyncGenerator<LogChunk> {
    const path = `/v1/executions/${encodeURIComponent(executionId)}/logs`;
    if (!on) {
      let at = offset;
      const { body } = await transport.open(`${path}?offset=${offset}`, {}, signal);
      for await (const bytes of body) {
        yield { offset: at, bytes };
        at += bytes.length;
      }
      return;
    }
    const after = String(offset);
    for await (const { event, data } of follow(transport, clock, { path: `${path}?follow`, after, signal })) {
      if (event !== undefined) continue;
      const { offset: at, base64 }: { offset: number; base64: string } = JSON.parse(data);
      yield { offset: at, bytes: Buffer.from(base64, "base64") };
    }
  }

  /** Goes on by a range where the connection broke. The digest is the caller's to compare. */
  async function* download(id: string, signal: AbortSignal, range?: ByteRange): AsyncGenerator<Uint8Array> {
    const path = `/v1/artifacts/${encodeURIComponent(id)}/download`;
    let at = range?.start ?? 0;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const last = range === undefined ? "" : String(range.end - 1);
        const headers = at === 0 && range === undefined ? {} : { range: `bytes=${at}-${last}` };
        const { body } = await transport.open(path, headers, signal);
        for await (const bytes of body) {
          yield bytes;
          at += bytes.length;
        }
        return;
      } catch (error) {
        if (signal.aborted || attempt === attempts || !(error instanceof BrokenAnswer)) throw error;
        await clock.sleep(attempt * 500, signal);
      }
    }
  }

  return {
    ...catalog(transport),
    trigger: (request, signal) => trigger(transport, request, signal),
    list: (filter) => json("GET", `/v1/pipeline-runs${query({ ...filter })}`),
    get: (reference) => json("GET", run(reference)),
    head: (reference) => json("GET", run(reference)),
    events,
    async *eventPieces(id, afterSeq, signal) {
      for await (const event of events(id, afterSeq, signal)) yield [event];
    },
    log,
    logInfo: () => notHere("Asking for a log's length"),
    logTimes: async (id) =>
      (await json<{ items: LogTime[] }>("GET", `/v1/executions/${encodeURIComponent(id)}/log-times`)).items,
    executionOf: () => notHere("Asking for a step's newest attempt"),
    async logTail(id, lines) {
      const path = `/v1/executions/${encodeURIComponent(id)}/logs`;
      try {
        const limit = AbortSignal.timeout(tailMs);
        const range = `bytes=-${Math.min(tailBytes, lines * lineBytes)}`;
        const answer = await transport.open(path, { range }, limit);
        return lastLines(await answer.bytes(), lines);
      } catch (error) {
        if (error instanceof Problem && error.code === "range_not_satisfiable") return new Uint8Array();
        throw error;
      }
    },
    async cancel(reference) {
      const before: RunDetail = await json("GET", run(reference));
      if (before.finished_at !== null) return "final";
      await json("POST", `${run(before.id)}/cancel`, {});
      return before.cancel_requested_at === null ? "requested" : "already";
    },
    force: async (reference) => void (await json("POST", `${run(reference)}/cancel`, { now: true })),
    async retry({ run: reference, what = "whole" }) {
      const made = await json<RunDetail>("POST", `${run(reference)}/retry`, { what });
      return { run: made, notes: [] };
    },
    why: (reference) => json("GET", `${run(reference)}/why`),
    async artifact(reference) {
      const slash = reference.lastIndexOf("/");
      if (slash <= 0) return await json("GET", `/v1/artifacts/${encodeURIComponent(reference)}/metadata`);
      const found = await json<RunDetail>("GET", run(reference.slice(0, slash)));
      const name = reference.slice(slash + 1);
      const artifact = found.artifacts.findLast((one) => one.name === name);
      if (artifact !== undefined) return artifact;
      const names = found.artifacts.map((one) => one.name).join(", ");
      throw new Problem("not_found", `${runTitle(found)} has no artifact ${JSON.stringify(name)}.`, {
        remedy: names === "" ? "It has none." : `It has: ${names}.`,
      });
    },
    download,
    deployments: (page) => json("GET", `/v1/deployments${query({ ...page })}`),
    resolveDeployment: (reference, outcome) =>
      json("POST", `/v1/deployments/${encodeURIComponent(reference)}/resolve`, { outcome }),
    whoami: () => json("GET", "/v1/caller"),
    audit: (page) => json("GET", `/v1/audit${query({ ...page })}`),
    // The server itself carries on what was left unfinished.
    abandoned: async () => [],
    resume: () => notHere("Resuming a run"),
  };
}

async function trigger(
  { json }: Transport,
  { source, only }: TriggerRequest,
  signal: AbortSignal,
): Promise<RunAccepted> {
  if (source.kind !== "pipeline") return await notHere("Running a directory or an address");
  const { pipeline, ref, sha, validate } = source;
  const path = `/v1/pipelines/${encodeURIComponent(pipeline)}/runs`;
  const body = { ref, sha, only, validate_now: validate === "now", cause: "manual" } satisfies NewRun;
  return { run: await json<RunDetail>("POST", path, body, signal), notes: [] };
}

function catalog({ json }: Transport): {
  readonly projects: ProjectClient;
  readonly repositories: RepositoryClient;
  readonly pipelines: PipelineClient;
  readonly tokens: TokenClient;
  readonly secrets: SecretClient;
  readonly registries: RegistryClient;
} {
  const at = (kind: string, id: string) => `/v1/${kind}/${encodeURIComponent(id)}`;
  return {
    projects: {
      create: ({ id: _id, ...project }) => json("POST", "/v1/projects", project),
      get: (id) => json("GET", at("projects", id)),
      list: (page) => json("GET", `/v1/projects${query({ ...page })}`),
      update: (id, change) => json("PATCH", at("projects", id), change),
      remove: (reference, contents) =>
        json("DELETE", `${at("projects", reference)}${contents === "remove" ? "?force=true" : ""}`),
    },
    repositories: {
      create: ({ id: _id, ...repository }) => json("POST", "/v1/repositories", repository),
      get: (id) => json("GET", at("repositories", id)),
      list: (filter) => json("GET", `/v1/repositories${query({ ...filter })}`),
      update: (id, change) => json("PATCH", at("repositories", id), change),
      remove: (id) => json("DELETE", at("repositories", id)),
      check: (id, signal) => json("POST", `${at("repositories", id)}/check`, undefined, signal),
    },
    pipelines: {
      create: ({ id: _id, ...pipeline }) => json("POST", "/v1/pipelines", pipeline),
      get: (reference) => json("GET", at("pipelines", reference)),
      list: (filter) => json("GET", `/v1/pipelines${query({ ...filter })}`),
      update: (id, change) => json("PATCH", at("pipelines", id), change),
      remove: (id) => json("DELETE", at("pipelines", id)),
    },
    tokens: {
      create: ({ id: _id, ...token }) => json("POST", "/v1/tokens", token),
      list: (page) => json("GET", `/v1/tokens${query({ ...page })}`),
      revoke: (id) => json("DELETE", at("tokens", id)),
    },
    secrets: {
      put: (project, name, value) =>
        json("PUT", `${at("projects", project)}/secrets/${encodeURIComponent(name)}`, { value }),
      list: async (project) =>
        (await json<{ items: SecretDetail[] }>("GET", `${at("projects", project)}/secrets`)).items,
      remove: (project, name) =>
        json("DELETE", `${at("projects", project)}/secrets/${encodeURIComponent(name)}`),
      rotate: () => json("POST", "/v1/secrets/rotate", {}),
    },
    registries: {
      put: (project, host, login) =>
        json("PUT", `${at("projects", project)}/registries/${encodeURIComponent(host)}`, login),
      list: async (project) =>
        (await json<{ items: RegistryLogin[] }>("GET", `${at("projects", project)}/registries`)).items,
      remove: (project, host) =>
        json("DELETE", `${at("projects", project)}/registries/${encodeURIComponent(host)}`),
    },
  };
}

function query(values: Readonly<Record<string, string | number | undefined>>): string {
  const given = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) if (value !== undefined) given.set(key, String(value));
  return given.size === 0 ? "" : `?${given}`;
}

async function notHere(what: string): Promise<never> {
  throw new Problem("usage", `${what} is not done through a server.`, {
    remedy: "Do it on the machine itself: shipinator run",
  });
}

function lastLines(bytes: Buffer, lines: number): Uint8Array {
  let from = bytes.length - 1;
  for (let left = lines; left > 0; left -= 1) {
    const found = from > 0 ? bytes.lastIndexOf(10, from - 1) : -1;
    if (found < 0) return bytes;
    from = found;
  }
  return bytes.subarray(from + 1);
}
