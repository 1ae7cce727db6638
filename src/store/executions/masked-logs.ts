/** The progress of masking the logs of remote executors. Each change is one compare-and-set on one row. */
import type { ExecutionId, ProjectId } from "../../kernel/index.ts";
import type { Database } from "../db/database.ts";

export interface MaskedLogState {
  /** Bytes of the executor's log that have come. */
  readonly received: number;
  /** Bytes of the stored log that were made of them. */
  readonly stored: number;
  /** The last stored bytes are a mask. */
  readonly is_masking: boolean;
  /** Bytes that have come and may be the beginning of a secret, encrypted with this key; null: none. */
  readonly key_id: string | null;
  readonly encrypted: Uint8Array | null;
}

export interface MaskedLogRow extends MaskedLogState {
  readonly execution_id: ExecutionId;
  readonly project_id: ProjectId;
}

export interface MaskedLogStore {
  get(id: ExecutionId): Promise<MaskedLogRow | null>;
  /** Begins the progress of a log that has `kept` stored bytes, unless it has begun. */
  begin(id: ExecutionId, kept: number): Promise<void>;
  /** False: it is not at `before` any more. */
  advance(before: MaskedLogRow, next: MaskedLogState): Promise<boolean>;
}

export function createMaskedLogStore(database: Database): MaskedLogStore {
  return {
    async get(id) {
      const [row] = await database.query<MaskedLogRow>(
        `select m.execution_id, r.project_id, m.received, m.stored, m.is_masking, m.key_id, m.encrypted
         from masked_logs m
         join execution_reports e on e.execution_id = m.execution_id
         join pipeline_runs r on r.id = e.run_id
         where m.execution_id = $1::uuid`,
        [id],
      );
      return row ?? null;
    },
    async begin(id, kept) {
      await database.execute(
        `insert into masked_logs (execution_id, received, stored) values ($1::uuid, $2::bigint, $2::bigint)
         on conflict (execution_id) do nothing`,
        [id, kept],
      );
    },
    advance: async ({ execution_id, received, encrypted }, next) =>
      (await database.execute(
        `update masked_logs m
         set received = $4::bigint, stored = $5::bigint, is_masking = $6::boolean, key_id = $7::text, encrypted = $8::bytea
         where m.execution_id = $1::uuid and m.received = $2::bigint and m.encrypted is not distinct from $3::bytea`,
        [
          execution_id,
          received,
          encrypted,
          next.received,
          next.stored,
          next.is_masking,
          next.key_id,
          next.encrypted,
        ],
      )) === 1,
  };
}
