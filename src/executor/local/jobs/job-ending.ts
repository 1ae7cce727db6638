/** The end of a job attempt on this machine: its workers with all that they started, and its directory. */
import { existsSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { endWorker, strayGroups } from "../containment/containment.ts";
import { attachWorker, type Worker, type WorkerParts } from "../worker/worker.ts";
import { type JobPaths, makeHome } from "./layout.ts";

interface JobEndingDeps extends WorkerParts {
  /** Prefix of the names of its groups. */
  readonly groups: string;
}

/** @param workers those that are known here; others are found in its directory */
export async function endJob(
  deps: JobEndingDeps,
  paths: JobPaths,
  workers: readonly Worker[],
): Promise<void> {
  if (existsSync(paths.root)) await remove(deps, paths, workers);
  else await endStrays(deps, paths, workers);
}

async function endWorkers(
  { machine, options }: JobEndingDeps,
  paths: JobPaths,
  workers: readonly Worker[],
): Promise<void> {
  for (const worker of workers) worker.detach();
  const numbers = existsSync(paths.workers) ? readdirSync(paths.workers) : [];
  const all = new Map(workers.map((worker) => [worker.directory, worker]));
  for (const number of numbers) {
    const directory = join(paths.workers, number);
    const worker = all.get(directory) ?? attachWorker(directory, { machine, onEvent: () => undefined });
    if (worker !== null) all.set(directory, worker);
  }
  for (const worker of all.values()) {
    worker.detach();
    if (worker.record.bootId !== machine.bootId) continue;
    await endWorker(worker.record.scope, worker.identity(), options);
  }
}

/** Renames first, so that what is half removed is never taken for a job. */
async function remove(deps: JobEndingDeps, paths: JobPaths, workers: readonly Worker[]): Promise<void> {
  const { options, spawner } = deps;
  await endWorkers(deps, paths, workers);
  makeHome(options.directory);
  const trash = join(options.directory, "trash", `${paths.key}.${crypto.randomUUID().slice(0, 8)}`);
  renameSync(paths.root, trash);
  if ((await spawner.request("remove", trash)) === "kept") {
    options.log.warn({ job: paths.key, path: trash }, "a part of the job's directory could not be removed");
  }
}

/** The directory vanished, and with it the records of its workers: names and marks still tell what is theirs. */
async function endStrays(deps: JobEndingDeps, paths: JobPaths, workers: readonly Worker[]): Promise<void> {
  const { options, containment, groups } = deps;
  for (const worker of workers) worker.detach();
  const nobody = { mark: `${paths.workers}/`, shim: null };
  const { strategy } = containment();
  for (const group of strayGroups(containment(), groups))
    await endWorker({ strategy, group, memory: null }, nobody, options);
  await endWorker({ strategy: "session", group: null, memory: null }, nobody, options);
}
