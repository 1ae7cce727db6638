import { Problem } from "../../../kernel/index.ts";
import type { Client, ProjectDetail } from "../../../services/index.ts";
import { readAllPages } from "./pipeline.ts";

/** Finds the named project, or the only one. @throws Problem usage or not_found, with the names of projects */
export async function findProject(
  client: Client,
  name: string | null,
  subject: string,
): Promise<ProjectDetail> {
  const projects = await readAllPages((cursor) => client.projects.list({ limit: 200, cursor }));
  const [only] = projects;
  if (name === null && only !== undefined && projects.length === 1) return only;
  const found = projects.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = projects.map((one) => one.name).join(", ");
  throw new Problem(
    name === null ? "usage" : "not_found",
    name === null ? `${subject} belongs to a project.` : `There is no project ${JSON.stringify(name)}.`,
    {
      remedy:
        names === ""
          ? "Add one with: shipinator pipeline add REPOSITORY"
          : `Select one with --project: ${names}`,
    },
  );
}
