/**
 * Which account a project's steps run as, and which HOME they have. With a pool each project has an account of its own
 * while it has open jobs, and the projects that come when all are occupied wait in the order in which they came. Before
 * an account moves to another project, all its processes are ended and what it left in shared directories is removed.
 *
 * Below `homes/<project>` is the HOME, `home`. Its parent belongs to the server and lets nobody pass while an account that
 * the project had is another's: what lies in the HOME still belongs to that account.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { allPids, Problem, readProcess } from "../../../kernel/index.ts";
import type { LocalExecutorOptions, StepAccount } from "../options.ts";
import type { Spawner } from "../worker/spawner.ts";
import { readLine } from "./layout.ts";

/** Account and HOME of a job's steps; part of `job.json`. */
export interface Occupant {
  readonly account: StepAccount | null;
  /** Null: HOME is the one that all share. */
  readonly home: string | null;
  readonly project: string;
}

export interface Accounts {
  /** Null: the job may open, and its project's account is occupied. Else resolves when that is to be asked again. */
  admission(project: string, job: string): Promise<void> | null;
  /** Gives the project its account and its HOME, after waiting for its admission. @throws Problem executor_failed */
  enter(project: string, job: string): Promise<Occupant>;
  /** Occupies the account of a job that an earlier process opened. */
  occupy(job: string, occupant: Occupant): void;
  /** The job is closed, or will never open. */
  release(job: string): void;
  /** Jobs that occupy an account or wait for one. */
  jobs(): readonly string[];
}

interface AccountsDeps {
  readonly options: LocalExecutorOptions;
  readonly spawner: Spawner;
}

interface Lease {
  readonly account: StepAccount;
  /** Project that has it, or had it last. */
  project: string | null;
  /** For whom it was prepared last. */
  prepared: string | null;
  readonly jobs: Set<string>;
  /** Hand-overs and preparations of HOMEs, one after another. */
  entering: Promise<unknown>;
}

interface Waiter extends PromiseWithResolvers<void> {
  readonly project: string;
}

/** Time that processes may take to die. */
const dyingMs = 60_000;

export function createAccounts({ options, spawner }: AccountsDeps): Accounts {
  const homes = join(options.directory, "homes");
  const lastProject = ({ name }: Pick<StepAccount, "name">) => join(options.directory, "accounts", name);
  const parentOf = (project: string) => join(homes, project);
  const homeOf = (project: string) => join(parentOf(project), "home");
  const leases: readonly Lease[] = (options.accounts ?? []).map((account) => ({
    account,
    project: readLine(lastProject(account)),
    prepared: readLine(lastProject(account)),
    jobs: new Set<string>(),
    entering: Promise.resolve(),
  }));
  const waiting = new Map<string, Waiter>();

  const leaseOf = (job: string) => leases.find((lease) => lease.jobs.has(job));

  /** Its own, else one that was its own last, that was nobody's, that was another's. */
  function reserve(project: string, job: string): boolean {
    const free = leases.filter((lease) => lease.jobs.size === 0);
    const lease =
      leases.find((one) => one.jobs.size > 0 && one.project === project) ??
      free.find((one) => one.project === project) ??
      free.find((one) => one.project === null) ??
      free[0];
    if (lease === undefined) return false;
    if (lease.project !== project && lease.project !== null) barParent(lease.project);
    lease.project = project;
    lease.jobs.add(job);
    return true;
  }

  function barParent(project: string): void {
    if (existsSync(parentOf(project))) chmodSync(parentOf(project), 0o700);
  }

  /** In the order in which they came, so that a project with ever new jobs does not keep its account from others. */
  function admitWaiting(): void {
    for (const [job, waiter] of waiting) {
      if (!reserve(waiter.project, job)) return;
      waiting.delete(job);
      waiter.resolve();
    }
  }

  /** Ends everything of the account, and removes what it left where everybody may write. */
  async function vacate({ name, uid, gid, setpriv }: StepAccount): Promise<void> {
    const until = options.clock.monotonic() + dyingMs;
    for (let wait = 1; ; wait = Math.min(wait * 2, 100)) {
      await spawner.request("vacate", lastProject({ name }), `${uid}:${gid} ${setpriv}`);
      const left = processesOf(uid);
      if (left.length === 0) return;
      if (options.clock.monotonic() > until)
        throw new Problem(
          "executor_failed",
          `Processes of the account ${name} do not die: ${left.join(", ")}.`,
          {
            remedy:
              "Free what they hang in (a dead network disk, a broken device), then start the run again.",
          },
        );
      await options.clock.sleep(wait);
    }
  }

  async function makeHome(project: string, account: StepAccount | null): Promise<string | null> {
    if (options.homes !== "project") return null;
    const home = homeOf(project);
    mkdirSync(homes, { recursive: true, mode: 0o711 });
    mkdirSync(parentOf(project), { recursive: true, mode: 0o700 });
    mkdirSync(home, { recursive: true, mode: 0o700 });
    if (account === null) return home;
    const owner = statSync(home).uid;
    // Only what was the earlier account's: a hard link to somebody else's file stays theirs.
    if (owner !== account.uid)
      await spawner.request("own", home, `${account.uid}:${account.gid} --from=${owner}`);
    for (const each of [options.directory, homes, parentOf(project)]) chmodSync(each, 0o711);
    return home;
  }

  async function handOver(lease: Lease, project: string): Promise<Occupant> {
    const { account } = lease;
    // Also an account that comes new to the pool may have been anybody's.
    if (lease.prepared !== project) await vacate(account);
    const home = await makeHome(project, account);
    mkdirSync(join(options.directory, "accounts"), { recursive: true, mode: 0o700 });
    if (lease.prepared !== project) writeFileSync(lastProject(account), `${project}\n`, { mode: 0o600 });
    lease.prepared = project;
    return { account, home, project };
  }

  const accounts: Accounts = {
    admission(project, job) {
      if (leases.length === 0 || leaseOf(job) !== undefined) return null;
      const known = waiting.get(job);
      if (known !== undefined) return known.promise;
      if (waiting.size === 0 && reserve(project, job)) return null;
      const waiter = { ...Promise.withResolvers<void>(), project };
      waiting.set(job, waiter);
      return waiter.promise;
    },
    async enter(project, job) {
      for (;;) {
        const wait = accounts.admission(project, job);
        if (wait === null) break;
        await wait;
      }
      const lease = leaseOf(job);
      const account = options.account ?? null;
      if (lease === undefined) return { account, home: await makeHome(project, account), project };
      const entered = lease.entering.catch(() => undefined).then(() => handOver(lease, project));
      lease.entering = entered;
      return await entered;
    },
    occupy(job, { account, project }) {
      const lease = leases.find((one) => one.account.uid === account?.uid);
      if (lease === undefined) return;
      lease.project = project;
      lease.prepared = project;
      lease.jobs.add(job);
    },
    release(job) {
      waiting.get(job)?.resolve();
      waiting.delete(job);
      leaseOf(job)?.jobs.delete(job);
      admitWaiting();
    },
    jobs: () => [...waiting.keys(), ...leases.flatMap((lease) => [...lease.jobs])],
  };
  return accounts;
}

/** Live processes that are the account's in any way. */
function processesOf(uid: number): readonly string[] {
  return allPids().flatMap((pid) => {
    const it = readProcess(pid);
    if (it === null || it.zombie) return [];
    return uidsOf(pid).includes(uid) ? [`${pid} (${it.command})`] : [];
  });
}

function uidsOf(pid: number): readonly number[] {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    return (/^Uid:\s+(.*)$/m.exec(status)?.[1] ?? "").split(/\s+/).map(Number);
  } catch {
    return []; // it has ended meanwhile
  }
}
