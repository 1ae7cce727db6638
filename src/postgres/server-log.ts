/** Postgres' own log: a bounded file beside the data, and the lines of it that help a person. */
import {
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
} from "node:fs";

const LARGEST = 4 * 1024 * 1024;
const TAIL = 16 * 1024;

/** Opens for appending. Never through a link: as root the file's directory is ours, but habits are cheap. */
export function openLog(path: string): { fd: number; offset: number } {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants;
  const fd = openSync(path, O_APPEND | O_CREAT | O_NOFOLLOW | O_WRONLY, 0o600);
  return { fd, offset: fstatSync(fd).size };
}

/** The present end of the log. */
export function logEnd(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Keeps one older generation. The server appends by descriptor, so the file is emptied, not replaced. */
export function boundLog(path: string): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || stat.size <= LARGEST) return;
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
}

/** Errors and warnings that were logged after `offset`, without time stamps; every line when there are none. */
export function complaintsSince(path: string, offset: number): string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || stat.size <= offset) return [];
  const start = Math.max(offset, stat.size - TAIL);
  const buffer = Buffer.alloc(stat.size - start);
  const fd = openSync(path, "r");
  try {
    return complaints(buffer.toString("utf8", 0, readSync(fd, buffer, 0, buffer.length, start)));
  } finally {
    closeSync(fd);
  }
}

const LINE_PREFIX = /^\d{4}-\d\d-\d\d [\d:.]+ \S+ \[\d+\] /;

export function complaints(text: string): string[] {
  const lines = text
    .split("\n")
    .map((line) => line.replace(LINE_PREFIX, "").trim())
    .filter((line) => line !== "");
  const chosen = lines.filter((line) =>
    /^(\S+: )?(FATAL|PANIC|ERROR|error|fatal|HINT|hint|DETAIL|detail): /.test(line),
  );
  return (chosen.length > 0 ? chosen : lines).slice(-6);
}

/** Postgres' two ways to say it: the kernel's words, and its hint when a write came out short. */
export function tellsOfFullDisk(text: string): boolean {
  return /No space left on device|Check free disk space/.test(text);
}
