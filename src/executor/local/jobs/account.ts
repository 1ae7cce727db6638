/** Steps under another account than the server's. The machinery stays the server's own: start lock, log and exit status. */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { Problem } from "../../../kernel/index.ts";
import type { StepAccount } from "../options.ts";

/**
 * Everything that root runs for steps gets this environment and no other: the loader and the C library obey variables,
 * and a step's are for its account alone.
 */
export const rootEnvironment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

/** Becomes the account and reads commands from standard input. `sudo` and its like give a step nothing back. */
export function accountShell({ setpriv, uid, gid }: StepAccount): readonly string[] {
  const become = [`--reuid=${uid}`, `--regid=${gid}`, "--init-groups", "--no-new-privs"];
  return [setpriv, ...become, "--", "/bin/sh", "-s"];
}

/** @throws Problem environment: a directory above the workspaces does not let the account pass */
export function refuseUnreachable(directory: string, { name, uid, gid }: StepAccount): void {
  for (let path = dirname(directory); ; path = dirname(path)) {
    const found = statSync(path, { throwIfNoEntry: false });
    const passing = found?.uid === uid ? 0o100 : found?.gid === gid ? 0o010 : 0o001;
    if (found !== undefined && (found.mode & passing) === 0)
      throw new Problem("environment", `The account ${name} of steps cannot pass through ${path}.`, {
        remedy: `Run \`chmod o+x ${path}\`, or name another data directory.`,
      });
    if (path === dirname(path)) return;
  }
}
