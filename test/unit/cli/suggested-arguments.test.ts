/** The commands that are shown work as shown: after a login, with a variable, with a configuration of its own. */
import { describe, expect, it } from "vitest";
import { execute, finishedRun } from "./support/execute.ts";

const home = { HOME: "/home/ada" };
const login = JSON.stringify({ server: "https://ci.example", token: "t", caFile: null });
const loginFile = new Map([["/home/ada/.config/shipinator/login.json", login]]);

const shown = (stdout: string) => [...stdout.matchAll(/shipinator [^\n·]*[^\n· ]/g)].map(([words]) => words);

describe("the commands that a local run shows", () => {
  const places = [
    ["nowhere else", { environment: home }, ""],
    ["a login", { environment: home, files: loginFile }, " --server local"],
    [
      "a broken login",
      { environment: home, files: new Map([[[...loginFile.keys()][0] ?? "", "torn"]]) },
      " --server local",
    ],
    ["a server's variable", { environment: { SHIPINATOR_SERVER: "https://ci.example" } }, " --server local"],
    [
      "a variable that says local",
      { environment: { ...home, SHIPINATOR_SERVER: "local" }, files: loginFile },
      "",
    ],
  ] as const;
  it.each(places)("lead to its own data directory beside %s", async (_beside, options, words) => {
    const { stdout } = await execute(["run"], { runs: [finishedRun()] }, options);
    expect(shown(stdout)).toEqual([
      `shipinator logs 12${words} --step test/compile`,
      `shipinator logs 12${words}`,
      `shipinator artifacts 12${words}`,
    ]);
    const again = await execute(["status", ...words.trim().split(" ").filter(Boolean)], {}, options);
    expect(shown(again.stdout)).toEqual(shown(stdout));
  });

  it("keep the configuration that was named", async () => {
    const { stdout } = await execute(["run", "--config", "/etc/my ship.yaml"], { runs: [finishedRun()] });
    expect(shown(stdout)[1]).toBe("shipinator logs 12 --config '/etc/my ship.yaml'");
  });
});
