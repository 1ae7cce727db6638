/** This machine and its processes, as /proc tells. A pid alone names nobody: it is compared with its start time. */
import { closeSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { errorCode } from "./problem.ts";

export interface Machine {
  readonly bootId: string;
  /** `pid:[4026531836]`: pids mean something only within one namespace. */
  readonly pidNamespace: string;
}

export function thisMachine(): Machine {
  return {
    bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    pidNamespace: readlinkSync("/proc/self/ns/pid"),
  };
}

/** A process. `start` is field 22 of its stat, clock ticks since boot: with the pid it names one process for good. */
export interface ProcessInfo {
  readonly pid: number;
  readonly start: string;
  readonly parent: number;
  readonly session: number;
  readonly command: string;
  /** Dead but not yet waited for: holds nothing, runs nothing. */
  readonly zombie: boolean;
}

/** @returns null when there is no such process any more. */
export function readProcess(pid: number): ProcessInfo | null {
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The command stands in parentheses and may itself hold any character: fields are counted from the last one.
  const close = stat.lastIndexOf(")");
  const fields = stat.slice(close + 2).split(" ");
  const [state, parent, , session] = fields;
  const start = fields[19];
  if (state === undefined || start === undefined) return null;
  return {
    pid,
    start,
    parent: Number(parent),
    session: Number(session),
    command: stat.slice(stat.indexOf("(") + 1, close),
    zombie: state === "Z" || state === "X",
  };
}

export function allPids(): number[] {
  return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

/** The environment that a process was started with; null when it may not be read or is gone. */
export function readEnvironment(pid: number): string | null {
  return readProc(`/proc/${pid}/environ`);
}

/**
 * Tells a process that is becoming another program at this moment: then its environment reads as empty, for a program's beginning as
 * long as its pages come from a disk. One that was started without any environment has a place for it all the same.
 */
export function isExecuting(pid: number): boolean {
  const stat = readProc(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
  const [memory, environmentStart] = [fields[20], fields[47]];
  return memory !== undefined && memory !== "0" && environmentStart === "0";
}

/**
 * Closes the descriptors that this process inherited beyond its standard streams, which what it starts would inherit in
 * turn. Those that Node opens are closed on exec by themselves, as are the first few that it finds at its start.
 */
export function closeInherited(): void {
  for (const name of readdirSync("/proc/self/fdinfo")) {
    const descriptor = Number(name);
    const flags = /^flags:\s*([0-7]+)$/m.exec(readProc(`/proc/self/fdinfo/${name}`) ?? "")?.[1];
    if (descriptor > 2 && flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0)
      closeSync(descriptor);
  }
}

const closeOnExec = 0o2000000;

/** Null when the process is gone or belongs to somebody else. */
function readProc(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES" || code === "EPERM") return null;
    throw error;
  }
}
