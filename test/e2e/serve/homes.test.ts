/** The HOME of a server's steps. */
import { expect, it } from "vitest";
import type { RunDetail } from "../../../src/services/index.ts";
import { World } from "../../support/cli.ts";
import { ended, startServer } from "../../support/server.ts";

const pipeline = `build:
  steps:
    - { name: s, run: 'cat ~/.npmrc 2>/dev/null || echo none; echo "$SHIPINATOR_PIPELINE" >~/.npmrc; echo "$XDG_CONFIG_HOME"' }
`;

it.each([
  ["project", "none\n\n", "app\n\n"],
  // What the server's own variable leads to goes with the shared one.
  ["shared", "app\n/shared\n", "other\n/shared\n"],
])(
  "%s: what one project left is found by its own builds, by others' where it is shared",
  async (home, ofOther, ofSelf) => {
    await using world = await World.prepared();
    const server = await startServer(world, 0, { SHIPINATOR_LOCAL_HOME: home, XDG_CONFIG_HOME: "/shared" });
    async function build(name: string): Promise<string> {
      const run = await server.post<RunDetail>(`/v1/pipelines/${name}/runs`);
      expect((await ended(server, run.id)).status).toBe("success");
      return await world.log(run.id, "build/s");
    }
    for (const name of ["app", "other"])
      await world.succeed(["pipeline", "add", world.repository(name, { ".shipinator.yaml": pipeline })]);
    await build("app");
    expect(await build("other")).toBe(ofOther);
    expect(await build("app")).toBe(ofSelf);
    expect(await server.stop()).toBe(0);
  },
);
