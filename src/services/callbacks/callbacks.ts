/**
 * The callbacks by which a remote executor claims, begins, reports and uploads. Each is recorded before it is answered, which
 * notifies the orchestrator. A repeated callback gets the first answer.
 */
import { isDeepStrictEqual } from "node:util";
import { type ArtifactId, newId, Problem } from "../../kernel/index.ts";
import type { ReportRow } from "../../store/index.ts";
import type { ExecutionName } from "../auth/execution-token.ts";
import { decryptSecrets } from "../secrets/secrets.ts";
import { type CallbackDeps, claimedExecution, refusalOf, stopOrder } from "./answers.ts";
import type { CallbackClient } from "./client.ts";
import { createCallbackLog } from "./log.ts";

/** For so long after the end, what was lost on the way is still taken. */
export const lateMs = 86_400_000;

export function callbackClient(deps: CallbackDeps, name: ExecutionName): CallbackClient {
  const { executionId: id, attempt } = name;
  const log = createCallbackLog(deps);

  async function current(): Promise<ReportRow> {
    const { store } = await deps.database();
    const row = await store.reports.get(id);
    if (row === null || row.attempt !== attempt)
      throw new Problem("not_found", `there is no execution ${id}`);
    if (row.ended_ms !== null && row.ended_ms > lateMs)
      throw new Problem("gone", `execution ${id} ended more than a day ago; nothing more is taken of it`);
    return row;
  }

  /** The row of the executor that asks. */
  async function claimed(by: string | null): Promise<ReportRow> {
    const row = await current();
    if (row.claimed_by === null || (by !== null && row.claimed_by !== by)) throw refusalOf(row, by);
    return row;
  }

  async function secretsOf({ spec }: ReportRow): Promise<Readonly<Record<string, string>>> {
    const { store } = await deps.database();
    // Only its own: an executor gives a step what it gets, and the run's other secrets are not for this one.
    return (await decryptSecrets(store, deps.secretKeys, spec)).variables;
  }

  /** Ends an attempt that has not begun, because the executor cannot get what it needs. */
  async function failStart(by: string, problem: Problem): Promise<never> {
    const { store } = await deps.database();
    await store.reports.finish(id, by, {
      status: "failed",
      exit_code: null,
      reason: "start_failed",
      message: problem.remedy === undefined ? problem.message : `${problem.message} ${problem.remedy}`,
      logs_uri: null,
      log_bytes: 0,
      log_sha256: null,
      artifacts: [],
    });
    throw new Problem("conflict", `execution ${id} cannot start: ${problem.message}`);
  }

  return {
    executionId: id,
    async claim(by) {
      const { store } = await deps.database();
      const before = await current();
      const row = await store.reports.claim(id, by);
      if (row === null) throw refusalOf((await store.reports.get(id)) ?? before, by);
      let secrets: Readonly<Record<string, string>>;
      try {
        secrets = await secretsOf(row);
      } catch (error) {
        const problem = Problem.from(error);
        if (problem.code !== "executor_failed") throw error;
        return await failStart(by, problem);
      }
      deps.log.info({ execution_id: id, executor: by }, "an executor has claimed an attempt");
      return claimedExecution(deps, row, secrets);
    },
    async begin(by) {
      const { store } = await deps.database();
      const before = await current();
      const row = await store.reports.begin(id, by);
      if (row?.begun_at == null) throw refusalOf((await store.reports.get(id)) ?? before, by);
      return { begun_at: row.begun_at.toISOString() };
    },
    async heartbeat(by) {
      const { store } = await deps.database();
      const before = await current();
      const row = await store.reports.heartbeat(id, by);
      if (row === null) throw refusalOf((await store.reports.get(id)) ?? before, by);
      return { stop: stopOrder(row) };
    },
    async report(by, report) {
      const { store } = await deps.database();
      const before = await claimed(by);
      const row = await store.reports.finish(id, by, report);
      const now = row ?? (await store.reports.get(id)) ?? before;
      if (now.report === null || !isDeepStrictEqual(now.report, report)) {
        if (now.report === null && now.closed_at === null) throw refusalOf(now, by);
        await store.reports.addEvidence(id, by, report);
        deps.log.warn({ execution_id: id, executor: by }, "an executor contradicts a final state");
        throw new Problem(
          "conflict",
          now.report === null
            ? `execution ${id} was ended by the server (${now.closed_reason}) before this report`
            : `execution ${id} was reported before as ${now.report.status}, with other details`,
          { remedy: "The first final state stands; this report is kept as evidence." },
        );
      }
      const acknowledged = await log.settle(now, report);
      return { acknowledged, log_offset: await log.received(now) };
    },
    async appendLog(by, offset, bytes) {
      const row = await claimed(by);
      const answer = await log.append(row, offset, bytes);
      if (row.report !== null && row.log_closed_at === null) await log.settle(row, row.report);
      return answer;
    },
    async upload(by, { name: output, sha256, size, form, path, mode, files }, source, signal) {
      const row = await claimed(by);
      const declared = row.spec.outputs.find((one) => one.name === output);
      if (declared === undefined || declared.path === null)
        throw new Problem("not_found", `the step declares no output ${output} that has a path`);
      if (size > deps.artifactMaxBytes)
        throw new Problem(
          "payload_too_large",
          `the output ${output} has ${size} bytes, and at most ${deps.artifactMaxBytes} are taken`,
          { remedy: "Make it smaller, or raise artifact_max_size on the server." },
        );
      const { store, artifacts } = await deps.database();
      const sameAs = (kept: { checksum: string }) => {
        if (kept.checksum === sha256) return;
        throw new Problem("conflict", `the output ${output} is kept already, with SHA-256 ${kept.checksum}`, {
          remedy: "An output never changes.",
        });
      };
      const before = (await store.reports.uploads(id)).find((one) => one.name === output);
      if (before !== undefined) {
        sameAs(before);
        return { id: before.artifact_id, name: output, sha256: before.checksum, size: before.size };
      }
      if (row.final_status !== null || row.closed_at !== null) throw refusalOf(row, by);
      const artifactId = newId<ArtifactId>();
      const putting = artifacts.put(
        {
          id: artifactId,
          name: output,
          type: declared.type,
          metadata: {
            form,
            path: path ?? declared.path,
            ...(mode === null ? {} : { mode }),
            ...(files === null ? {} : { files }),
          },
          source,
          expected: { sha256, size },
        },
        signal,
      );
      const stored = await putting.catch((error: unknown) => {
        const problem = Problem.from(error);
        // Not what we keep is corrupt, but what was sent.
        if (problem.code === "artifact_corrupt")
          throw new Problem("usage", problem.message, { cause: error });
        throw error;
      });
      const kept = await store.reports.keepUpload(
        {
          execution_id: id,
          name: output,
          artifact_id: artifactId,
          checksum: stored.sha256,
          size: stored.size,
          storage_path: stored.storagePath,
          metadata: stored.metadata,
        },
        by,
      );
      if (kept?.artifact_id !== artifactId) await artifacts.remove(artifactId);
      if (kept === null) throw refusalOf(await current(), by);
      sameAs(kept);
      return { id: kept.artifact_id, name: output, sha256: kept.checksum, size: kept.size };
    },
    async source(by) {
      const { spec } = await claimed(by);
      const { source } = spec.job;
      if (source === null || spec.source === "none")
        throw new Problem("not_found", "This step gets no source, only its inputs.");
      return { size: null, sha256: null, bytes: (signal) => deps.source.archive(source, signal) };
    },
    async input(by, input) {
      const { spec } = await claimed(by);
      const found = spec.job.inputs.find((one) => one.name === input);
      if (found === undefined) throw new Problem("not_found", `this step has no input ${input}`);
      const { artifacts } = await deps.database();
      const { artifactId, sha256, size } = found;
      const reference = { id: artifactId, sha256, size, name: input };
      return { size, sha256, bytes: (signal) => artifacts.open(reference, undefined, signal) };
    },
  };
}
