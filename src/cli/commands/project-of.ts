/** Which project a command means. */
import { Problem } from "../../kernel/index.ts";
import type { Client, ProjectDetail } from "../../services/index.ts";
import { all } from "./pipeline.ts";

/** The one that was named, else the only one. @throws Problem usage, not_found, with the names that there are */
export async function projectOf(client: Client, name: string | null, what: string): Promise<ProjectDetail> {
  const projects = await all((cursor) => client.projects.list({ limit: 200, cursor }));
  const [only] = projects;
  if (name === null && only !== undefined && projects.length === 1) return only;
  const found = projects.find((one) => one.name === name);
  if (found !== undefined) return found;
  const there = projects.map((one) => one.name).join(", ");
  throw new Problem(
    name === null ? "usage" : "not_found",
    name === null ? `${what} belongs to a project` : `there is no project ${JSON.stringify(name)}`,
    {
      remedy:
        there === ""
          ? "Make one with: shipinator pipeline add REPOSITORY"
          : `Name one of these with --project: ${there}`,
    },
  );
}
