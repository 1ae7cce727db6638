/** The processes of a directory: those that name it in their command line or environment, or work inside it. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface FoundProcess {
  readonly pid: number;
  readonly command: string;
}

/** Living ones only; another account's, of which nothing may be read, are not ours either. */
export function processesOf(directory: string): readonly FoundProcess[] {
  const found: FoundProcess[] = [];
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const command = look(() => readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim());
    const environment = look(() => readFileSync(`/proc/${pid}/environ`, "utf8"));
    const cwd = look(() => readlinkSync(`/proc/${pid}/cwd`));
    // What is ending has no command line any more, and for a moment longer its directory; when it has ended, nothing.
    if (`${command}\0${environment}\0${cwd}`.includes(directory)) found.push({ pid, command });
  }
  return found;
}

/** A process may end, or be another's, between two looks. */
function look(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}
