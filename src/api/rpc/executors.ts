/** `shipinator.v1.ExecutorService`: the callbacks of remote executors. */
import type { ServiceImpl } from "@connectrpc/connect";
import { claimHeader, executorHeader, report } from "../../contract/index.ts";
import { Problem } from "../../kernel/index.ts";
import { maxLogBytes, reportStatus } from "../rest/report-status.ts";
import type { Callers } from "./callers.ts";
import {
  AppendLogResponseSchema,
  BeginExecutionResponseSchema,
  ClaimExecutionResponseSchema,
  type ExecutorService,
  HeartbeatExecutionResponseSchema,
  ReportExecutionResponseSchema,
} from "./generated/shipinator.ts";
import { checked, message, numberOf } from "./messages.ts";

export function executorService(callers: Callers): ServiceImpl<typeof ExecutorService> {
  const by = (executorId: string | undefined) =>
    checked(executorHeader, { "executor-id": executorId })["executor-id"] ?? null;
  return {
    async claimExecution({ executionId, executorId }, context) {
      const callbacks = callers.executor(context, executionId);
      const named = checked(claimHeader, { "executor-id": executorId })["executor-id"];
      return message(ClaimExecutionResponseSchema, await callbacks.claim(named));
    },
    async beginExecution({ executionId, executorId }, context) {
      const callbacks = callers.executor(context, executionId);
      return message(BeginExecutionResponseSchema, await callbacks.begin(by(executorId)));
    },
    async heartbeatExecution({ executionId, executorId }, context) {
      const callbacks = callers.executor(context, executionId);
      return message(HeartbeatExecutionResponseSchema, await callbacks.heartbeat(by(executorId)));
    },
    async reportExecution({ executionId, executorId, artifacts, ...said }, context) {
      const callbacks = callers.executor(context, executionId);
      const body = checked(report, {
        status: said.status,
        exit_code: said.exitCode,
        reason: said.reason,
        message: said.message,
        logs_uri: said.logsUri,
        log_bytes: said.logBytes === undefined ? undefined : numberOf(said.logBytes, "log_bytes"),
        log_sha256: said.logSha256,
        ...(artifacts.length === 0
          ? {}
          : { artifacts: artifacts.map(({ id, sha256 }) => (sha256 === undefined ? id : { id, sha256 })) }),
      });
      return message(ReportExecutionResponseSchema, await reportStatus(callbacks, by(executorId), body));
    },
    async appendLog({ executionId, executorId, offset, data }, context) {
      const callbacks = callers.executor(context, executionId);
      if (data.length > maxLogBytes)
        throw new Problem("payload_too_large", `The request's body has more than ${maxLogBytes} bytes.`);
      const answer = await callbacks.appendLog(by(executorId), numberOf(offset, "offset"), data);
      return message(AppendLogResponseSchema, answer);
    },
    async *getSource({ executionId, executorId }, context) {
      const callbacks = callers.executor(context, executionId);
      const { bytes } = await callbacks.source(by(executorId));
      for await (const data of bytes(context.signal)) yield { data };
    },
    async *getInput({ executionId, executorId, name }, context) {
      const callbacks = callers.executor(context, executionId);
      const { bytes } = await callbacks.input(by(executorId), name);
      for await (const data of bytes(context.signal)) yield { data };
    },
  };
}
