/**
 * The idempotency store. A key is reserved before its request is carried out, with the id of the resource that it will
 * make. A request whose process died is carried out again under the same id, and makes the same resource.
 */
import { type InstanceId, newId, type RunId } from "../../kernel/index.ts";
import type { Database } from "../db/database.ts";
import type { Owner } from "../runs/apply.ts";

export interface IdempotencyRequest {
  /** The owner of the key: a token's id, or another name that no token has. */
  readonly caller: string;
  readonly key: string;
  /** Lower-case hex SHA-256 of method, path and body. */
  readonly requestSha256: string;
}

export type Reservation =
  /** The caller carries the request out now; the resource that it makes gets this id. */
  | { readonly kind: "new"; readonly resourceId: string }
  | { readonly kind: "replay"; readonly status: number; readonly answer: unknown }
  /** The key was used for something else. */
  | { readonly kind: "mismatch" }
  /** The first request with this key is under way, in this instance where it is known. */
  | { readonly kind: "busy"; readonly holder: Owner | null };

export interface IdempotencyStore {
  /** @param gone an instance that is known to be gone: its keys are free */
  reserve(request: IdempotencyRequest, holder: Owner, gone?: Owner | null): Promise<Reservation>;
  complete(request: IdempotencyRequest, status: number, answer: unknown): Promise<void>;
  /**
   * Frees the key, because the request failed in a way that may be repeated (the server was at fault). A repeat gets the
   * same resource id, and finds what was made nevertheless.
   */
  release(request: IdempotencyRequest): Promise<void>;
  /** Deletes at most `limit` keys that are older than a day; returns how many. */
  purge(limit: number): Promise<number>;
}

/** After this time without an answer a key is free: its holder may live and have lost the database in between. */
const abandonedSeconds = 60;

interface Row {
  readonly request_sha256: string;
  readonly resource_id: string;
  readonly status: number | null;
  /** JSON as text: jsonb would change the order of the keys. */
  readonly answer: string | null;
  readonly holder_id: InstanceId | null;
  readonly holder_epoch: number | null;
}

// A row that is locked by its first request's insert is waited for. What has expired or was released is free for any
// request, what was abandoned for the same one; only the same one goes on with the same resource id.
const expired = "k.created_at < now() - interval '24 hours'";
const another = `(${expired} or k.request_sha256 <> excluded.request_sha256)`;
const reserveSql = `
insert into idempotency_keys as k (caller, key, request_sha256, resource_id, holder_id, holder_epoch)
values ($1::text, $2::text, $3::text, $4::uuid, $6::uuid, $7::integer)
on conflict (caller, key) do update
set touched_at = now(),
  request_sha256 = excluded.request_sha256,
  holder_id = excluded.holder_id,
  holder_epoch = excluded.holder_epoch,
  resource_id = case when ${another} then excluded.resource_id else k.resource_id end,
  created_at = case when ${another} then now() else k.created_at end,
  status = null,
  answer = null
where ${expired}
  or k.status is null and (k.touched_at = '-infinity'
    or k.request_sha256 = excluded.request_sha256
      and (k.touched_at < now() - make_interval(secs => $5::double precision)
        or k.holder_id = $8::uuid and k.holder_epoch = $9::integer))
returning k.resource_id`;

export function createIdempotencyStore(database: Database): IdempotencyStore {
  return {
    async reserve({ caller, key, requestSha256 }, holder, gone = null) {
      const asked = [caller, key, requestSha256, newId<RunId>(), abandonedSeconds];
      const values = [...asked, holder.instance, holder.epoch, gone?.instance ?? null, gone?.epoch ?? null];
      const [mine] = await database.query<{ resource_id: string }>(reserveSql, values, {
        name: "idempotency.reserve",
      });
      if (mine !== undefined) return { kind: "new", resourceId: mine.resource_id };
      const [row] = await database.query<Row>(
        `select k.request_sha256, k.resource_id, k.status, k.answer, k.holder_id, k.holder_epoch
         from idempotency_keys k
         where k.caller = $1::text and k.key = $2::text`,
        [caller, key],
      );
      if (row === undefined) return { kind: "busy", holder: null };
      if (row.request_sha256 !== requestSha256) return { kind: "mismatch" };
      if (row.status !== null)
        return { kind: "replay", status: row.status, answer: JSON.parse(row.answer ?? "null") };
      const { holder_id: instance, holder_epoch: epoch } = row;
      return { kind: "busy", holder: instance === null || epoch === null ? null : { instance, epoch } };
    },
    async complete({ caller, key, requestSha256 }, status, answer) {
      await database.execute(
        `update idempotency_keys k
         set status = $4::integer, answer = $5::jsonb
         where k.caller = $1::text and k.key = $2::text and k.request_sha256 = $3::text and k.status is null`,
        [caller, key, requestSha256, status, JSON.stringify(JSON.stringify(answer ?? null))],
        { name: "idempotency.complete" },
      );
    },
    async release({ caller, key, requestSha256 }) {
      await database.execute(
        `update idempotency_keys k set touched_at = '-infinity'
         where k.caller = $1::text and k.key = $2::text and k.request_sha256 = $3::text and k.status is null`,
        [caller, key, requestSha256],
      );
    },
    purge: (limit) =>
      database.execute(
        `delete from idempotency_keys k
         where k.ctid = any (array(
           select old.ctid from idempotency_keys old
           where old.created_at < now() - interval '24 hours'
           limit $1::integer
         ))`,
        [limit],
      ),
  };
}
