/**
 * Instances: each process that owns runs is a row with an epoch and a lease by the database's clock. A write of run state
 * names instance and epoch, so a process that was declared dead changes nothing when it wakes.
 */
import { type InstanceId, newId } from "../../kernel/index.ts";
import type { Database } from "../db/database.ts";
import { type Page, type PageRequest, readPage } from "../db/page.ts";
import { storableText } from "../db/text.ts";
import type { InstanceRow } from "../rows.ts";
import type { Owner } from "../runs/apply.ts";

export interface NewInstance {
  readonly dataDirectory: string;
  readonly host: string;
  readonly bootId: string;
  readonly pidNamespace: string;
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, which distinguishes two processes of one pid. */
  readonly pidStartTime: string;
  readonly leaseSeconds: number;
}

export interface InstanceStore {
  /** Inserts a row at epoch 1. */
  register(instance: NewInstance): Promise<InstanceRow>;
  /** Lengthens the lease from now; false when the instance has ended or its epoch has passed: stop writing. */
  renew(owner: Owner, leaseSeconds: number): Promise<boolean>;
  /** Announces an absence of `seconds`; 0 withdraws it. */
  announceAway(owner: Owner, seconds: number): Promise<boolean>;
  /** Ends the instance and moves its epoch, so that nothing is claimed in its name. False: it had ended. */
  end(owner: Owner): Promise<boolean>;
  get(id: InstanceId): Promise<InstanceRow | null>;
  /** Instances that have not ended, of one data directory or of all, oldest first. */
  present(dataDirectory?: string): Promise<readonly InstanceRow[]>;
  list(page?: PageRequest): Promise<Page<InstanceRow>>;
}

const columns = `row.id, row.data_directory, row.host, row.boot_id, row.pid_namespace, row.pid,
  row.pid_start_time, row.epoch, row.renewals, row.lease_until, row.away_until, row.started_at, row.ended_at`;

const own = "n.id = $1::uuid and n.epoch = $2::integer and n.ended_at is null";

export function createInstanceStore(database: Database): InstanceStore {
  return {
    async register(made) {
      const rows = await database.query<InstanceRow>(
        `insert into instances as row (id, data_directory, host, boot_id, pid_namespace, pid, pid_start_time,
           lease_until)
         values ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::integer, $7::text,
           now() + make_interval(secs => $8::double precision))
         returning ${columns}`,
        [
          newId<InstanceId>(),
          ...[made.dataDirectory, made.host, made.bootId, made.pidNamespace].map((text) =>
            storableText(text),
          ),
          made.pid,
          storableText(made.pidStartTime),
          made.leaseSeconds,
        ],
      );
      const [row] = rows;
      if (row === undefined) throw new TypeError("insert … returning gave no row");
      return row;
    },
    renew: async ({ instance, epoch }, leaseSeconds) =>
      (await database.execute(
        `update instances n
         set lease_until = now() + make_interval(secs => $3::double precision), renewals = n.renewals + 1
         where ${own}`,
        [instance, epoch, leaseSeconds],
        { name: "instances.renew" },
      )) === 1,
    announceAway: async ({ instance, epoch }, seconds) =>
      (await database.execute(
        `update instances n
         set away_until = case when $3::double precision > 0
           then now() + make_interval(secs => $3::double precision) end
         where ${own}`,
        [instance, epoch, seconds],
      )) === 1,
    end: async ({ instance, epoch }) =>
      (await database.execute(
        `update instances n set ended_at = now(), epoch = n.epoch + 1, away_until = null where ${own}`,
        [instance, epoch],
      )) === 1,
    async get(id) {
      const rows = await database.query<InstanceRow>(
        `select ${columns} from instances row where row.id = $1::uuid`,
        [id],
      );
      return rows[0] ?? null;
    },
    present: (dataDirectory) =>
      database.query<InstanceRow>(
        `select ${columns}
         from instances row
         where row.ended_at is null ${dataDirectory === undefined ? "" : "and row.data_directory = $1::text"}
         order by row.started_at, row.id`,
        dataDirectory === undefined ? [] : [dataDirectory],
      ),
    list: (page = {}) =>
      readPage<InstanceRow>(
        database,
        { columns, from: "instances row", time: "started_at", where: [], values: [] },
        page,
      ),
  };
}
