/** The end of a job attempt on this machine: its lanes with all that they started, and its directory. */
import { existsSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { attachLane, type Lane, type LaneParts } from "./lane.ts";
import { type JobPaths, makeHome } from "./layout.ts";
import { endLane, strayGroups } from "./rungs/ladder.ts";

interface JobEndingDeps extends LaneParts {
  /** How the names of its groups begin. */
  readonly groups: string;
}

/** @param lanes those that are known here; others are found in its directory */
export async function endJob(deps: JobEndingDeps, paths: JobPaths, lanes: readonly Lane[]): Promise<void> {
  if (existsSync(paths.root)) await remove(deps, paths, lanes);
  else await endStrays(deps, paths, lanes);
}

async function endLanes(
  { machine, options }: JobEndingDeps,
  paths: JobPaths,
  lanes: readonly Lane[],
): Promise<void> {
  for (const lane of lanes) lane.detach();
  const numbers = existsSync(paths.lanes) ? readdirSync(paths.lanes) : [];
  const all = new Map(lanes.map((lane) => [lane.directory, lane]));
  for (const number of numbers) {
    const directory = join(paths.lanes, number);
    const lane = all.get(directory) ?? attachLane(directory, { machine, onEvent: () => undefined });
    if (lane !== null) all.set(directory, lane);
  }
  for (const lane of all.values()) {
    lane.detach();
    if (lane.record.bootId !== machine.bootId) continue;
    await endLane(lane.record.scope, lane.identity(), options);
  }
}

/** Renames first, so that what is half removed is never taken for a job. */
async function remove(deps: JobEndingDeps, paths: JobPaths, lanes: readonly Lane[]): Promise<void> {
  const { options, helper } = deps;
  await endLanes(deps, paths, lanes);
  makeHome(options.directory);
  const trash = join(options.directory, "trash", `${paths.key}.${crypto.randomUUID().slice(0, 8)}`);
  renameSync(paths.root, trash);
  if ((await helper.request("remove", trash)) === "kept") {
    options.log.warn({ job: paths.key, path: trash }, "a part of the job's directory could not be removed");
  }
}

/** The directory vanished, and with it the records of its lanes: names and marks still tell what is theirs. */
async function endStrays(deps: JobEndingDeps, paths: JobPaths, lanes: readonly Lane[]): Promise<void> {
  const { options, ladder, groups } = deps;
  for (const lane of lanes) lane.detach();
  const nobody = { mark: `${paths.lanes}/`, shim: null };
  const { rung } = ladder();
  for (const group of strayGroups(ladder(), groups))
    await endLane({ rung, group, memory: null }, nobody, options);
  await endLane({ rung: "session", group: null, memory: null }, nobody, options);
}
