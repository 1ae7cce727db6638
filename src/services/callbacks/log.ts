/**
 * The log of a remote executor. Where its run has secrets it is masked here, as it comes: the executor knows at most
 * those of its own step. Offsets and lengths in its words are those of its own log, and the kept one is shorter. How far the
 * masking has come is a row, so that any server goes on with it.
 */
import { setImmediate as turn } from "node:timers/promises";
import type { LogKept } from "../../contract/index.ts";
import type { FinalReport } from "../../domain/index.ts";
import { Problem } from "../../kernel/index.ts";
import type { Mask } from "../../masking/index.ts";
import type { MaskedLogRow, ReportRow } from "../../store/index.ts";
import { decrypt, encrypt } from "../secrets/encryption.ts";
import { maskedValues, secretNames } from "../secrets/secrets.ts";
import type { CallbackDeps } from "./answers.ts";

export interface CallbackLog {
  /** Adds bytes at an offset of the executor's log. */
  append(row: ReportRow, offset: number, bytes: Uint8Array): Promise<LogKept>;
  /** Seals the log if it is all that the report says. */
  settle(row: ReportRow, report: FinalReport): Promise<boolean>;
  /** Bytes of the executor's log that have come. */
  received(row: ReportRow): Promise<number>;
}

/** Bytes of a log that are masked in one turn of the event loop. */
const sliceBytes = 65_536;
const nothing = Buffer.alloc(0);

export function createCallbackLog(deps: CallbackDeps): CallbackLog {
  const { logs, logCapBytes } = deps;

  /** Null: nothing is masked. */
  async function stateOf({ execution_id: id, spec }: ReportRow): Promise<MaskedLogRow | null> {
    if (secretNames(spec).length === 0) return null;
    const { store } = await deps.database();
    const found = await store.maskedLogs.get(id);
    if (found !== null) return found;
    await store.maskedLogs.begin(id, await logs.size(id));
    return await store.maskedLogs.get(id);
  }

  /** Goes on where the log is. */
  async function maskOf({ spec }: ReportRow, state: MaskedLogRow): Promise<Mask> {
    const { store } = await deps.database();
    const compiled = deps.masks.of(await maskedValues(store, deps.secretKeys, spec));
    return compiled.begin({ held: heldOf(state), isMasking: state.is_masking });
  }

  function heldOf(state: MaskedLogRow): Buffer {
    if (state.encrypted === null || state.key_id === null) return nothing;
    const secret = { ...placeOf(state), key_id: state.key_id, encrypted: state.encrypted };
    return Buffer.from(decrypt(deps.secretKeys.present(), secret), "latin1");
  }

  /** Keeps what a mask gave, and where it is now. False: another request was first. */
  async function keep(
    state: MaskedLogRow,
    { mask, out, received }: { readonly mask: Mask; readonly out: Buffer; readonly received: number },
  ): Promise<LogKept | false> {
    const { kind, size } = await logs.append(state.execution_id, state.stored, out);
    const full = kind === "full";
    // A server that died before it wrote this down has kept the same bytes, or more of them.
    const stored = Math.min(size, state.stored + out.length);
    const { held, isMasking } = mask.state();
    const lost = full ? held.length + state.stored + out.length - stored : 0;
    const secret =
      held.length === 0 || full
        ? null
        : encrypt(deps.secretKeys.ensure(), placeOf(state), held.toString("latin1"));
    const next = {
      received: Math.max(state.received, received - lost),
      stored,
      is_masking: isMasking,
      key_id: secret?.key_id ?? null,
      encrypted: secret?.encrypted ?? null,
    };
    const { store } = await deps.database();
    return (await store.maskedLogs.advance(state, next)) && { offset: next.received, full };
  }

  async function appendMasked(
    row: ReportRow,
    state: MaskedLogRow,
    { offset, bytes }: { readonly offset: number; readonly bytes: Uint8Array },
  ): Promise<LogKept | false> {
    const fresh = bytes.subarray(Math.max(0, state.received - offset));
    const full = state.stored >= logCapBytes;
    if (offset > state.received || fresh.length === 0 || full) return { offset: state.received, full };
    if (row.log_closed_at !== null)
      throw new Problem("conflict", `The log is closed with ${state.received} bytes; nothing is added.`, {
        remedy: "Send a log's bytes before its execution's final report is acknowledged.",
      });
    const mask = await maskOf(row, state);
    const out: Buffer[] = [];
    for (let at = 0; at < fresh.length; at += sliceBytes) {
      if (at > 0) await turn();
      out.push(mask.push(fresh.subarray(at, at + sliceBytes)));
    }
    return await keep(state, { mask, out: Buffer.concat(out), received: state.received + fresh.length });
  }

  /** The log is whole when it is as long as was said, or as long as is kept, and its digest is the one that was said. */
  async function isWhole(
    { execution_id: id }: ReportRow,
    { log_bytes, log_sha256 }: FinalReport,
    state: MaskedLogRow | null,
  ): Promise<boolean> {
    const held = state === null ? nothing : heldOf(state);
    const kept = await logs.digest(id, held);
    const received = state?.received ?? kept.bytes;
    // Of what is masked no digest is known, only the length.
    const isSame = log_sha256 === null || log_sha256 === kept.sha256 || received > kept.bytes;
    if ((log_bytes === null || log_bytes === received) && isSame) return true;
    return (log_bytes ?? 0) > received && kept.bytes >= logCapBytes;
  }

  return {
    async append(row, offset, bytes) {
      for (;;) {
        const state = await stateOf(row);
        if (state === null) {
          const { kind, size } = await logs.append(row.execution_id, offset, bytes);
          return { offset: size, full: kind === "full" };
        }
        const answer = await appendMasked(row, state, { offset, bytes });
        if (answer !== false) return answer;
      }
    },
    async settle(row, report) {
      if (row.log_closed_at !== null) return true;
      for (;;) {
        const state = await stateOf(row);
        if (!(await isWhole(row, report, state))) return false;
        if (state === null || state.encrypted === null) break;
        const mask = await maskOf(row, state);
        if (await keep(state, { mask, out: mask.end(), received: state.received })) break;
      }
      const { store } = await deps.database();
      await logs.seal(row.execution_id);
      await store.reports.closeLog(row.execution_id, true);
      return true;
    },
    async received(row) {
      return (await stateOf(row))?.received ?? (await logs.size(row.execution_id));
    },
  };
}

const placeOf = ({ project_id, execution_id }: MaskedLogRow) => ({
  project_id,
  name: `log of ${execution_id}`,
});
