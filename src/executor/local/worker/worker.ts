/**
 * A worker: one shim, from the server's side. Two FIFOs join them. `live` is read by the shim alone: we write one short
 * line to release a step, and whoever opens it for writing and gets ENXIO knows that the shim is dead. `events` is written
 * by the shim alone: its lines are notifications, its end of file is the shim's death. Both outlive the server in the file
 * system, so that a restarted server picks up the same two ends. All opens are O_NONBLOCK: a FIFO that waits for its
 * other end would hold one of Node's few worker threads.
 */
import { closeSync, constants, existsSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { errorCode, type Machine, Problem, readProcess, shellQuote } from "../../../kernel/index.ts";
import type { Containment, WorkerIdentity, WorkerScope } from "../containment/containment.ts";
import { oomKills } from "../containment/containment.ts";
import { readIfThere, readLine } from "../jobs/layout.ts";
import type { LocalExecutorOptions } from "../options.ts";
import type { Spawner } from "./spawner.ts";

/** `worker.json`: written before the shim starts, so that whatever it starts can be found again. */
export interface WorkerRecord extends Machine {
  readonly scope: WorkerScope;
}

export interface WorkerEvent {
  readonly word: "begun" | "exit" | "over" | "dead";
  readonly worker: Worker;
  /** With `exit` the script's exit status, with `over` the log's state, for the case that the disk could not keep it. */
  readonly value: string | null;
}

export interface Worker {
  readonly directory: string;
  readonly record: WorkerRecord;
  /** The step it was given last and has not finished, by the step's directory name. */
  current: string | null;
  /** Kills by the out-of-memory killer that are accounted for. */
  oomSeen: number;
  readonly alive: boolean;
  /** @throws Problem executor_failed when its process numbers mean nothing here */
  identity(): WorkerIdentity;
  /** Releases a step. @returns false when the shim is dead; then nothing was released. */
  release(step: string): boolean;
  /** Lets go of both FIFOs. An idle shim ends then; a busy one ends after its step. */
  detach(): void;
}

/** Deps for making and ending a job's workers. */
export interface WorkerParts {
  readonly options: LocalExecutorOptions;
  readonly machine: Machine;
  readonly spawner: Spawner;
  readonly containment: () => Containment;
}

interface WorkerDeps {
  readonly machine: Machine;
  readonly onEvent: (event: WorkerEvent) => void;
}

/** @throws Problem executor_failed */
export async function startWorker(
  directory: string,
  scope: WorkerScope,
  deps: WorkerDeps & { readonly spawner: Spawner },
): Promise<Worker> {
  mkdirSync(directory);
  const record: WorkerRecord = { ...deps.machine, scope };
  writeFileSync(`${directory}/worker.json`, `${JSON.stringify(record)}\n`);
  writeFileSync(`${directory}/setup`, setupText(scope));
  await deps.spawner.request("worker", directory);
  // Both ends are ours before there is a shim, which takes an end that nobody has for our death.
  const worker = connect(directory, record, deps);
  const opening = openSync(`${directory}/live`, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    await deps.spawner.request("shim", directory);
    await worker.ready;
    worker.takeWriteEnd();
  } catch (error) {
    worker.detach();
    throw error;
  } finally {
    closeSync(opening);
  }
  return worker;
}

/** Picks up a worker that another instance started, or only began to make. @returns a worker that is `alive` or not. */
export function attachWorker(directory: string, deps: WorkerDeps): Worker | null {
  const text = readLine(`${directory}/worker.json`);
  if (text === null) return null;
  const record: WorkerRecord = JSON.parse(text);
  if (!existsSync(`${directory}/events`)) return neverStarted(directory, record, deps);
  const worker = connect(directory, record, deps);
  worker.ready.catch(() => undefined); // nobody waits for a shim that was ready long ago
  if (record.bootId !== deps.machine.bootId || !worker.takeWriteEnd()) worker.detach();
  return worker;
}

/** The server died between the worker's record and its FIFOs, which come before the shim: only its groups may be there. */
function neverStarted(directory: string, record: WorkerRecord, { machine }: WorkerDeps): Worker {
  return {
    directory,
    record,
    current: null,
    oomSeen: 0,
    alive: false,
    identity: () => identityOf(directory, record, machine),
    release: () => false,
    detach() {},
  };
}

function identityOf(directory: string, record: WorkerRecord, machine: Machine): WorkerIdentity {
  if (record.bootId !== machine.bootId || record.pidNamespace !== machine.pidNamespace) {
    throw new Problem(
      "executor_failed",
      `${directory} belongs to another pid namespace, whose processes cannot be told from others here`,
      { remedy: "Start the server again in the container, or on the host, where it ran before." },
    );
  }
  const [pid, start] = readLine(`${directory}/pid`)?.split(" ") ?? [];
  const shim = pid === undefined || start === undefined ? null : { pid: Number(pid), start };
  return { mark: `${directory}\0`, shim };
}

/** Joins the worker's groups before anything else runs in it; the memory group is welcome, not needed. */
function setupText(scope: WorkerScope): string {
  const join = (group: string | null) =>
    group === null ? ":" : `echo "$$" >${shellQuote(`${group}/cgroup.procs`)}`;
  return `${join(scope.memory)}\n${join(scope.group)}\n`;
}

type Connected = Worker & { readonly ready: Promise<void>; takeWriteEnd(): boolean };

function connect(directory: string, record: WorkerRecord, deps: WorkerDeps): Connected {
  const ready = Promise.withResolvers<void>();
  let write: number | null = null;
  let alive = true;
  let pending = "";

  const notifications = new Socket({
    fd: openSync(`${directory}/events`, constants.O_RDONLY | constants.O_NONBLOCK),
    readable: true,
    writable: false,
    onread: {
      buffer: new Uint8Array(4096),
      callback(size: number, buffer: Uint8Array) {
        pending += Buffer.from(buffer.buffer, buffer.byteOffset, size).toString("latin1");
        for (let end = pending.indexOf("\n"); end >= 0; end = pending.indexOf("\n")) {
          const line = pending.slice(0, end);
          pending = pending.slice(end + 1);
          onLine(line);
        }
        return true;
      },
    },
  });
  notifications.on("end", die).on("error", die).on("close", die);
  notifications.resume();

  function onLine(line: string): void {
    const space = line.indexOf(" ");
    const word = space < 0 ? line : line.slice(0, space);
    const rest = space < 0 ? "" : line.slice(space + 1);
    if (word === "ready") {
      writeFileSync(`${directory}/pid`, `${rest} ${readProcess(Number(rest))?.start ?? ""}\n`);
      ready.resolve();
    } else if (word === "refused") {
      ready.reject(
        new Problem("executor_failed", `A worker could not join its control group, see ${directory}/setup.`),
      );
    } else if (word === "begun" || word === "exit") {
      const [step, status] = rest.split(" ");
      if (step === worker.current) deps.onEvent({ word, worker, value: status ?? null });
    } else if (word === "over") {
      deps.onEvent({ word, worker, value: rest === "" ? null : rest });
    }
  }

  function die(): void {
    if (!alive) return;
    worker.detach();
    ready.reject(new Problem("executor_failed", `The shim of ${directory} ended before it was ready.`));
    deps.onEvent({ word: "dead", worker, value: null });
  }

  const worker: Connected = {
    directory,
    record,
    current: null,
    oomSeen: oomKills(record.scope),
    ready: ready.promise,
    get alive() {
      return alive;
    },
    identity: () => identityOf(directory, record, deps.machine),
    takeWriteEnd() {
      try {
        write = openSync(`${directory}/live`, constants.O_WRONLY | constants.O_NONBLOCK);
        return true;
      } catch (error) {
        if (errorCode(error) === "ENXIO" || errorCode(error) === "ENOENT") return false;
        throw error;
      }
    },
    release(step) {
      if (write === null) return false;
      try {
        writeSync(write, `${step}\n`);
        return true;
      } catch (error) {
        if (errorCode(error) !== "EPIPE") throw error;
        worker.detach();
        return false;
      }
    },
    detach() {
      if (!alive) return;
      alive = false;
      if (write !== null) closeSync(write);
      write = null;
      notifications.destroy();
    },
  };
  return worker;
}

/** Names of the steps that began in a worker: a second witness beside the start locks, which steps can reach. */
export function begunIn(directory: string): ReadonlySet<string> {
  return new Set((readIfThere(`${directory}/began`) ?? "").split("\n"));
}
