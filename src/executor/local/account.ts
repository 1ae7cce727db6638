/** Steps under another account than the server's. The machinery stays the server's own: gate, log and exit status. */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { Problem } from "../../kernel/index.ts";
import type { StepAccount } from "./options.ts";

/** What stands before a step's shell. */
export function becoming(account: StepAccount | undefined): readonly string[] {
  if (account === undefined) return [];
  const { setpriv, uid, gid } = account;
  return [setpriv, `--reuid=${uid}`, `--regid=${gid}`, "--init-groups", "--"];
}

/** @throws Problem environment: a directory above the workspaces does not let the account pass */
export function refuseUnreachable(directory: string, { name, uid, gid }: StepAccount): void {
  for (let path = dirname(directory); ; path = dirname(path)) {
    const found = statSync(path, { throwIfNoEntry: false });
    const passing = found?.uid === uid ? 0o100 : found?.gid === gid ? 0o010 : 0o001;
    if (found !== undefined && (found.mode & passing) === 0)
      throw new Problem("environment", `the account ${name} (local.user) cannot pass through ${path}`, {
        remedy: `Run \`chmod o+x ${path}\`, or name another data directory.`,
      });
    if (path === dirname(path)) return;
  }
}
