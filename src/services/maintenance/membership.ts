/** This process among those that carry runs: its row in `nodes`, the lease that it renews, and who else lives. */
import { type Clock, createLoop, errorMessage, type Logger } from "../../kernel/index.ts";
import type { NodeRow, NodeStore, Owner } from "../../store/index.ts";

/** What tells a process from any other, for good. */
export interface ProcessIdentity {
  readonly host: string;
  readonly bootId: string;
  readonly pidNamespace: string;
  readonly pid: number;
  readonly pidStartTime: string;
}

export interface MembershipDeps {
  readonly nodes: NodeStore;
  readonly identity: ProcessIdentity;
  readonly dataDirectory: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Membership extends AsyncDisposable {
  readonly owner: Owner;
  /**
   * From now on disposing announces a planned absence instead of an end: runs that go on meanwhile are left to whoever
   * comes after, and nobody else takes them for abandoned before it is over.
   */
  leaveForAWhile(): void;
}

/** How long a server that stopped on purpose is waited for. */
const awaySeconds = 900;

const leaseSeconds = 30;
const renewMs = 10_000;

/** Registers this process and keeps its lease; disposing it ends the row, so that others need not wait for the lease. */
export async function joinNodes({
  nodes,
  identity,
  dataDirectory,
  clock,
  log,
}: MembershipDeps): Promise<Membership> {
  const instance = String(identity.pid);
  const row = await nodes.register({ ...identity, dataDirectory, instance, leaseSeconds });
  const owner: Owner = { node: row.id, epoch: row.epoch };
  const renewal = createLoop({
    clock,
    everyMs: renewMs,
    onError: (error) =>
      log.warn(
        { node_id: row.id, error: errorMessage(error) },
        "the lease was not renewed; the next beat tries again",
      ),
    async runOnce() {
      if (!(await nodes.renew(owner, leaseSeconds)))
        log.error(
          { node_id: row.id },
          "this process was judged dead, so nothing that it writes counts any more",
        );
    },
  });
  renewal.start();
  let leaving: "for_good" | "for_a_while" = "for_good";
  return {
    owner,
    leaveForAWhile() {
      leaving = "for_a_while";
    },
    async [Symbol.asyncDispose]() {
      await renewal.stop();
      if (leaving === "for_a_while") await nodes.announceAway(owner, awaySeconds);
      else await nodes.end(owner);
    },
  };
}

/**
 * Whether a node's process lives: by the process itself where it is one of this machine and pid namespace, elsewhere by
 * its lease.
 * @param startTimeOf the start time of a living process of this machine, or null
 */
export function isNodeAlive(
  node: NodeRow,
  here: Pick<ProcessIdentity, "bootId" | "pidNamespace">,
  startTimeOf: (pid: number) => string | null,
  now: Date,
): boolean {
  const local = node.boot_id === here.bootId && node.pid_namespace === here.pidNamespace;
  return local ? startTimeOf(node.pid) === node.pid_start_time : node.lease_until > now;
}
