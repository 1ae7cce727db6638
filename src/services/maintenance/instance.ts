/** The instance registry: the row of this process in `instances`, its lease, and whether other instances live. */
import { type Clock, createLoop, errorMessage, type Logger } from "../../kernel/index.ts";
import type { InstanceRow, InstanceStore, Owner } from "../../store/index.ts";

/** The identity of a process, unique for all time. */
export interface ProcessIdentity {
  readonly host: string;
  readonly bootId: string;
  readonly pidNamespace: string;
  readonly pid: number;
  readonly pidStartTime: string;
}

export interface InstanceDeps {
  readonly instances: InstanceStore;
  readonly identity: ProcessIdentity;
  readonly dataDirectory: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface InstanceRegistration extends AsyncDisposable {
  readonly owner: Owner;
  /**
   * Makes the disposal announce a restart instead of an end: running executions are left to the next process, and no
   * other instance takes their runs for abandoned before the announced time is over.
   */
  announceRestart(): void;
}

/** Seconds for which other instances wait for an announced restart. */
const restartSeconds = 900;

const leaseSeconds = 30;
const renewMs = 10_000;

/** Registers this process and renews its lease. Disposal ends the row, so that others need not wait for the lease. */
export async function registerInstance({
  instances,
  identity,
  dataDirectory,
  clock,
  log,
}: InstanceDeps): Promise<InstanceRegistration> {
  const row = await instances.register({ ...identity, dataDirectory, leaseSeconds });
  const owner: Owner = { instance: row.id, epoch: row.epoch };
  const renewal = createLoop({
    clock,
    everyMs: renewMs,
    onError: (error) =>
      log.warn(
        { instance_id: row.id, error: errorMessage(error) },
        "The lease was not renewed and is renewed again soon.",
      ),
    async runOnce() {
      if (!(await instances.renew(owner, leaseSeconds)))
        log.error(
          { instance_id: row.id },
          "Other instances consider this process dead, so its writes are refused.",
        );
    },
  });
  renewal.start();
  let ending: "end" | "restart" = "end";
  return {
    owner,
    announceRestart() {
      ending = "restart";
    },
    async [Symbol.asyncDispose]() {
      await renewal.stop();
      if (ending === "restart") await instances.announceAway(owner, restartSeconds);
      else await instances.end(owner);
    },
  };
}

/**
 * Returns true when the process of an instance lives: by the process itself on this machine and in this pid namespace,
 * elsewhere by its lease.
 * @param startTimeOf returns the start time of a living process of this machine, or null
 */
export function isInstanceAlive(
  row: InstanceRow,
  here: Pick<ProcessIdentity, "bootId" | "pidNamespace">,
  startTimeOf: (pid: number) => string | null,
  now: Date,
): boolean {
  const local = row.boot_id === here.bootId && row.pid_namespace === here.pidNamespace;
  return local ? startTimeOf(row.pid) === row.pid_start_time : row.lease_until > now;
}
