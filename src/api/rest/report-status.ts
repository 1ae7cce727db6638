/** A report's status in an executor's words, as REST and RPC take it. */
import type { Report, Reported } from "../../contract/index.ts";
import type { FinalReport } from "../../domain/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { CallbackClient } from "../../services/index.ts";

/** Upper bound of one call. */
export const maxLogBytes = 4_194_304;

export async function reportStatus(
  callbacks: CallbackClient,
  by: string | null,
  body: Report,
): Promise<Reported> {
  const { status } = body;
  if (status !== "running")
    return { ...(await callbacks.report(by, finalReport({ ...body, status }))), stop: null };
  refuseDetails(body);
  const { stop } = await callbacks.heartbeat(by);
  // One that is to end does not begin any more, and is told so.
  if (stop === null) await callbacks.begin(by);
  return { acknowledged: true, log_offset: 0, stop };
}

function finalReport(body: Report & { readonly status: FinalReport["status"] }): FinalReport {
  return {
    status: body.status,
    exit_code: body.exit_code ?? null,
    reason: body.reason ?? null,
    message: body.message ?? null,
    logs_uri: body.logs_uri ?? null,
    log_bytes: body.log_bytes ?? null,
    log_sha256: body.log_sha256 ?? null,
    artifacts: (body.artifacts ?? []).map((one) =>
      typeof one === "string" ? { id: one, sha256: null } : one,
    ),
  };
}

/** Refuses details of an end while the step runs: they would be accepted and ignored. */
function refuseDetails({ status, ...details }: Report): void {
  const [name] = Object.entries(details).find(([, value]) => value !== undefined && value !== null) ?? [];
  if (name !== undefined)
    throw new Problem("usage", `${name} belongs to a final state, and the status is ${status}.`, {
      place: `body.${name}`,
    });
}
