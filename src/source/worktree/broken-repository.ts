/** Detects a `.git` that git cannot use. Treating it as "no Git" would include ignored files, so it is an error. */
import { lstat, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Problem } from "../../kernel/index.ts";
import { quote } from "../git/url.ts";

/** Finds the nearest directory at or above `directory`, on the same file system, with an entry `.git`, like git. */
export async function directoryOfGit(directory: string): Promise<string | null> {
  const device = (path: string) =>
    lstat(path).then(
      ({ dev }) => dev,
      () => null,
    );
  const start = await device(directory);
  for (let at = directory; (await device(at)) === start; at = dirname(at)) {
    if ((await device(join(at, ".git"))) !== null) return at;
    if (dirname(at) === at) break;
  }
  return null;
}

export async function brokenRepository(directory: string): Promise<Problem> {
  const place = join(directory, ".git");
  const file = await readFile(place, "utf8").catch(() => null);
  const named = /^gitdir: ([^\n]+)/.exec(file ?? "")?.[1];
  const remedy = `Repair it (\`git -C DIRECTORY status\` shows what is wrong), or remove it to run the directory without Git.`;
  return named === undefined
    ? new Problem("source_refused", `git cannot use ${quote(place)} as a repository.`, { place, remedy })
    : new Problem(
        "source_refused",
        `${quote(place)} names the repository ${quote(named)}, which git cannot use.`,
        {
          place,
          remedy: `Make it available at that path. If it has moved, run \`git worktree repair\` there.`,
        },
      );
}
