/** Job attempts on this machine: their directories, their workers, their opening and their end. */
import { createHash } from "node:crypto";
import { chmodSync, chownSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { JobSpec, SourceSpec } from "../../../domain/index.ts";
import { brandId, errorMessage, isId, type JobId, Problem } from "../../../kernel/index.ts";
import type { ClosingJob } from "../../types.ts";
import { makeScope } from "../containment/containment.ts";
import {
  attachWorker,
  begunIn,
  startWorker,
  type Worker,
  type WorkerEvent,
  type WorkerParts,
} from "../worker/worker.ts";
import { createAccounts, type Occupant } from "./accounts.ts";
import { endJob } from "./job-ending.ts";
import { type JobPaths, type JobRecord, jobPaths, makeHome, openedMark, readLine } from "./layout.ts";

type JobName = Pick<JobSpec, "jobId" | "attempt">;

const openedLine = "open\n";

export interface Job {
  readonly paths: JobPaths;
  readonly occupant: Occupant;
  readonly source: "tree" | "none";
  /** False when the machine was restarted since: nothing of it runs, and its workspace may be torn. */
  readonly ofThisBoot: boolean;
  readonly workers: Worker[];
  /** Runs the steps that are alone; members of a group never use it, so that it survives the end of one. */
  main: Worker | null;
  nextWorker: number;
}

export interface Jobs {
  open(spec: JobSpec): Promise<void>;
  /** The job if it is open here, picked up from its directory after a restart. */
  find(name: JobName): Job | "vanished" | null;
  /** An idle worker, reserved for the step; a new one when there is none. */
  acquire(job: Job, step: string, group: string | null): Promise<Worker>;
  close(name: ClosingJob): Promise<void>;
  /** Account and HOME of the job's steps. */
  occupantOf(name: JobName): Occupant;
  /** See `Accounts.admission`. */
  admission(spec: JobSpec): Promise<void> | null;
  /** The job attempts that have something here. */
  names(): readonly JobName[];
  detachAll(): void;
}

interface JobsDeps extends WorkerParts {
  readonly onEvent: (event: WorkerEvent) => void;
}

export function createJobs(deps: JobsDeps): Jobs {
  const { options, machine, spawner } = deps;
  const opening = new Map<string, Promise<void>>();
  const closing = new Map<string, Promise<void>>();
  const jobs = new Map<string, Job>();

  // Job attempts are unique, yet a restored backup may share a machine with what it is a copy of.
  const place = createHash("sha256").update(options.directory).digest("hex").slice(0, 8);
  const accounts = createAccounts(deps);
  occupyRunning();
  const groupsOf = (paths: JobPaths) => `${paths.key}-${place}`;

  async function newWorker(job: Job, step: string | null): Promise<Worker> {
    const number = job.nextWorker++;
    const directory = join(job.paths.workers, String(number));
    const scope = await makeScope(
      deps.containment(),
      `${groupsOf(job.paths)}-${number}-${crypto.randomUUID().slice(0, 8)}`,
      options.memoryLimitBytes,
    );
    const worker = await startWorker(directory, scope, { machine, spawner, onEvent: deps.onEvent });
    worker.current = step;
    job.workers.push(worker);
    return worker;
  }

  /** Before anything is opened: what runs keeps its account from other projects. */
  function occupyRunning(): void {
    for (const key of namesIn(join(options.directory, "opened"))) {
      const record = recordOf(join(options.directory, key, "job.json"));
      if (record?.occupant !== undefined) accounts.occupy(key, record.occupant);
    }
  }

  const shared = (): Occupant => ({ account: options.account ?? null, home: null, project: "" });
  const projectOf = (spec: JobSpec) => spec.projectId ?? jobPaths(options.directory, spec).key;

  async function make(spec: JobSpec): Promise<void> {
    const paths = jobPaths(options.directory, spec);
    const known = find(spec);
    if (known === "vanished") {
      throw new Problem("executor_failed", `The directory of job ${spec.jobId} vanished: ${paths.root}.`, {
        remedy: "Something other than Shipinator removed it; start a new run.",
      });
    }
    if (known !== null) {
      if (known.ofThisBoot) return;
      throw new Problem(
        "executor_failed",
        "The machine was restarted while this job was open, so its workspace may be incomplete.",
      );
    }
    // Without its record nothing was ever submitted in it: an opening that was cut short begins anew.
    if (existsSync(paths.root)) await endJob({ ...deps, groups: groupsOf(paths) }, paths, []);
    await makeRoom(spec, paths);
    const source = spec.source === null ? "none" : "tree";
    const occupant = await accounts.enter(projectOf(spec), paths.key);
    const job: Job = { paths, occupant, source, ofThisBoot: true, workers: [], main: null, nextWorker: 0 };
    const first = newWorker(job, null);
    first.catch(() => undefined); // reported by the await below, unless the checkout fails before
    try {
      if (spec.source !== null) await checkout(spec.source, paths, occupant.account);
      const to =
        source === "tree"
          ? ({ root: paths.workspace, kind: "workspace" } as const)
          : ({ root: paths.artifacts, kind: "artifacts" } as const);
      for (const input of spec.inputs) await options.restore(input, to);
      if (occupant.account !== null) {
        const { uid, gid } = occupant.account;
        const trees = [paths.workspace, paths.tmp, paths.artifacts];
        await Promise.all(trees.map((path) => spawner.request("own", path, `${uid}:${gid}`)));
      }
      const worker = await first;
      if ((spec.steps[0]?.parallelGroup ?? null) === null) job.main = worker;
      const record: JobRecord = { bootId: machine.bootId, source, occupant };
      writeFileSync(paths.record, `${JSON.stringify(record)}\n`);
      writeFileSync(openedMark(options.directory, spec), openedLine);
      jobs.set(paths.key, job);
    } catch (error) {
      await first.catch(() => undefined); // so that its worker can be ended
      await close(spec);
      throw error instanceof Problem
        ? error
        : new Problem("executor_failed", `the workspace could not be made: ${errorMessage(error)}`, {
            cause: error,
          });
    }
  }

  async function checkout(
    source: SourceSpec,
    { workspace, objects }: JobPaths,
    account: Occupant["account"],
  ): Promise<void> {
    await options.checkout(source, workspace, account === null ? null : objects);
    if (account === null || !existsSync(objects)) return;
    // The directory alone is the account's, so that no other may enter it; what is in it stays the server's.
    chownSync(objects, account.uid, account.gid);
    chmodSync(objects, 0o500);
  }

  /** Beside the thread, for a directory takes milliseconds on a busy disk. @throws Problem storage_failed */
  async function makeRoom(spec: JobSpec, paths: JobPaths): Promise<void> {
    try {
      makeHome(options.directory);
      writeFileSync(openedMark(options.directory, spec), "");
      await mkdir(paths.root, { mode: 0o700 });
      const { workspace, tmp, artifacts, workers, steps } = paths;
      await Promise.all(
        [workspace, tmp, artifacts, workers, steps].map((each) => mkdir(each, { mode: 0o700 })),
      );
      if (!hasAccounts(options)) return;
      // To be walked through, not to be looked into: what is the account's lies below under names that it is reported.
      for (const each of [options.directory, paths.root, paths.steps]) chmodSync(each, 0o711);
    } catch (error) {
      throw new Problem("storage_failed", `the workspace could not be made: ${errorMessage(error)}`, {
        cause: error,
      });
    }
  }

  function find(name: JobName): Job | "vanished" | null {
    const paths = jobPaths(options.directory, name);
    const known = jobs.get(paths.key);
    if (known !== undefined) return existsSync(paths.root) ? known : "vanished";
    const mark = openedMark(options.directory, name);
    if (!existsSync(paths.root)) return readLine(mark) === null ? null : "vanished";
    const record = recordOf(paths.record);
    if (record === null) return null;
    // The opening may have been cut short between the two.
    if (readLine(mark) === null) writeFileSync(mark, openedLine);
    const numbers = existsSync(paths.workers) ? readdirSync(paths.workers).map(Number) : [];
    const job: Job = {
      paths,
      occupant: record.occupant ?? shared(),
      source: record.source,
      ofThisBoot: record.bootId === machine.bootId,
      workers: [],
      main: null,
      nextWorker: Math.max(-1, ...numbers) + 1,
    };
    jobs.set(paths.key, job);
    for (const number of numbers.sort((a, b) => a - b)) {
      const worker = attachWorker(join(paths.workers, String(number)), { machine, onEvent: deps.onEvent });
      if (worker !== null) job.workers.push(worker);
    }
    return job;
  }

  async function end(name: ClosingJob): Promise<void> {
    const paths = jobPaths(options.directory, name);
    const mark = openedMark(options.directory, name);
    // No step of it can have removed the traces: looking through all processes would be for nothing.
    if (name.unused && !jobs.has(paths.key) && !existsSync(mark) && !existsSync(paths.root))
      return accounts.release(paths.key);
    await endJob({ ...deps, groups: groupsOf(paths) }, paths, jobs.get(paths.key)?.workers ?? []);
    rmSync(mark, { force: true });
    jobs.delete(paths.key);
    accounts.release(paths.key);
  }

  function close(name: ClosingJob): Promise<void> {
    const { key } = jobPaths(options.directory, name);
    return once(closing, key, () => end(name));
  }

  return {
    open: (spec) => once(opening, jobPaths(options.directory, spec).key, () => make(spec)),
    find,
    async acquire(job, step, group) {
      if (group === null) {
        if (job.main?.alive && job.main.current === null) {
          job.main.current = step;
          return job.main;
        }
        job.main = await newWorker(job, step);
        return job.main;
      }
      const idle = job.workers.find(
        (worker) => worker.alive && worker.current === null && worker !== job.main,
      );
      if (idle === undefined) return newWorker(job, step);
      idle.current = step;
      return idle;
    },
    close,
    occupantOf(name) {
      const job = find(name);
      return job === null || job === "vanished" ? shared() : job.occupant;
    },
    admission: (spec) => accounts.admission(projectOf(spec), jobPaths(options.directory, spec).key),
    names: () =>
      [...new Set([...namesIn(join(options.directory, "opened")), ...accounts.jobs()])].flatMap((key) => {
        const [id, attempt] = key.split(".");
        return id !== undefined && isId(id) ? [{ jobId: brandId<JobId>(id), attempt: Number(attempt) }] : [];
      }),
    detachAll() {
      for (const job of jobs.values()) for (const worker of job.workers) worker.detach();
    },
  };
}

/** Tells that steps run under other accounts than the server's. */
export const hasAccounts = ({ account, accounts = [] }: WorkerParts["options"]): boolean =>
  account !== undefined || accounts.length > 0;

function recordOf(path: string): JobRecord | null {
  const text = readLine(path);
  return text === null ? null : JSON.parse(text);
}

/** Nothing where a step removed the directory. */
const namesIn = (directory: string): readonly string[] =>
  existsSync(directory) ? readdirSync(directory) : [];

/** Callers that ask for the same thing while it is being done share one doing. */
async function once(
  running: Map<string, Promise<void>>,
  key: string,
  run: () => Promise<void>,
): Promise<void> {
  const present = running.get(key);
  if (present !== undefined) return present;
  const started = run();
  running.set(key, started);
  try {
    await started;
  } finally {
    running.delete(key);
  }
}

/** Tells that a worker's own list names the step as begun. */
export function begunSomewhere(job: Job, step: string): boolean {
  return job.workers.some((worker) => begunIn(worker.directory).has(step));
}
