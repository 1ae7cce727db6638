/** Keys of other systems are errors that say what to write instead, or that it does not exist yet. */
import { describe, expect, it } from "vitest";
import { parsePipelineFile } from "../../../src/config/pipeline/file.ts";
import { adviceFor } from "../../../src/config/pipeline/foreign-keys.ts";
import { accept, refuse, refuseOnce, step } from "./support.ts";

const whole = "build: { steps: [{ name: a, run: b }] }\n";

/** Fact and remedy of the one problem about `key`. */
function adviceOf(text: string, key: string): string {
  const parsed = parsePipelineFile(text, "f");
  if (parsed.ok) throw new Error("expected problems, but the file was accepted");
  const [found] = parsed.problems.filter(({ message }) => message.startsWith(`Unknown key "${key}"`));
  if (found === undefined) throw new Error(`no problem about ${key}`);
  expect(found.suggestion).toBeNull();
  return `${found.message} ${found.remedy}`;
}

describe("at the top of the file", () => {
  it.each([
    ["when", /conditions do not exist yet.*in the script/],
    ["rules", /conditions do not exist yet/],
    ["only", /conditions do not exist yet/],
    ["needs", /in the order build, test, deploy.*parallel: true/],
    ["services", /services do not exist yet.*with `&`/],
    ["cache", /caches do not exist yet/],
    ["matrix", /matrices do not exist yet.*step for each variant/],
    ["stages", /stages are build, test and deploy/],
    ["script", /scripts belong to a step.*Write `build:` or `test:`/],
    ["before_script", /scripts belong to a step/],
    ["commands", /scripts belong to a step/],
    ["on", /has no triggers.*shipinator trigger/],
    ["jobs", /build, test and deploy are at the top.*Write `build:`/],
    ["steps", /steps belong to a stage/],
    ["pipeline", /steps belong to a stage/],
    ["tasks", /steps belong to a stage/],
    ["image", /belongs in the defaults.*`defaults:` with `image:`/],
    ["variables", /belong in the defaults.*`env:`/],
    ["runs-on", /server's setting `executor`/],
    ["uses", /actions and plugins are not supported.*shell commands/],
    ["include", /cannot include other files yet.*x-shared/],
    ["name", /comes from its registration/],
  ])("%s", (key, said) => {
    expect(adviceOf(`${whole}${key}: [x]\n`, key)).toMatch(said);
  });
});

describe("in a step", () => {
  it.each([
    ["when", /conditions do not exist yet/],
    ["if", /conditions do not exist yet/],
    ["needs", /in the order build, test, deploy/],
    ["depends_on", /in the order build, test, deploy/],
    ["services", /services do not exist yet/],
    ["cache", /caches do not exist yet/],
    ["matrix", /matrices do not exist yet/],
    ["uses", /actions and plugins are not supported/],
    ["runs-on", /server's setting `executor`/],
    ["stage", /belongs to the stage above it/],
    ["before_script", /one script/],
    ["environment", /variables are called env/],
    ["working-directory", /first line of `run`/],
    ["allow_failure", /\|\| true/],
    ["timeout-minutes", /called timeout/],
  ])("%s", (key, said) => {
    expect(adviceOf(step(`${key}: [x]`), key)).toMatch(said);
    expect(adviceOf(step(`${key}: [x]`).replace("build:", "test:"), key)).toMatch(said);
  });

  it("whose script has another name is told that, and nothing that follows from it", () => {
    for (const key of ["script", "commands", "command"])
      expect(refuseOnce(`build: { steps: [{ name: a, ${key}: b }] }\n`)).toContain(
        "the script is called run",
      );
  });
});

it("a stage with a script is told that steps have one", () => {
  expect(refuseOnce("test: { script: [make] }\n")).toContain("scripts belong to a step");
});

it("the environment of a deploy is its target", () => {
  expect(adviceOf("deploy: { run: x, environment: production }\n", "environment")).toContain("target");
});

it("the reasons of a retry are called on", () => {
  expect(adviceOf(step("retry: { max: 1, when: [evicted] }"), "when")).toContain("called on");
});

it("a key that nobody is known to mean has no advice", () => {
  for (const key of ["frobnicate", "constructor", "__proto__", "toString"])
    expect(adviceFor("", key, []) ?? adviceFor("build.steps", key, [])).toBeUndefined();
});

describe("an expression of another CI system", () => {
  const expression = (inside: string) => `$\{{ ${inside} }}`;

  it.each([
    [
      `echo ${expression("secrets.TOKEN")}`,
      `The script of step a contains ${expression("secrets.TOKEN")}, which is not expanded. Write \`secrets: [TOKEN]\` in the step, and $TOKEN in the script.`,
    ],
    [
      `echo ${expression("github.sha")}`,
      `The script of step a contains ${expression("github.sha")}, which is not expanded. Use variables such as $SHIPINATOR_COMMIT.`,
    ],
  ])("in a script is a note: %s", (run, note) => {
    expect(accept(`build: { steps: [{ name: a, run: '${run}' }] }\n`).notes).toEqual([note]);
  });

  it("in a script that means the characters is none", () => {
    for (const run of ["echo $A", "docker inspect -f {{.Id}} a", `echo ${expression("toJSON(x)")}`])
      expect(accept(`build: { steps: [{ name: a, run: '${run}' }] }\n`).notes).toEqual([]);
  });

  it("in a variable is an error that says what to write", () => {
    expect(parsePipelineFile(step(`env: { A: '${expression("secrets.TOKEN")}' }`), "f")).toMatchObject({
      ok: false,
      problems: [
        {
          message: 'Unknown template variable "secrets.TOKEN".',
          remedy: "Write `secrets: [TOKEN]` in the step, and $TOKEN in the script.",
        },
      ],
    });
  });
});

describe("keys that begin with x-", () => {
  const file = `x-env: &env { A: "1" }
x-steps:
  - &lint { name: lint, run: make lint, env: *env }
build: { steps: [{ name: a, run: b, env: *env }] }
test: { steps: [*lint] }
`;

  it("are a place for anchors, and change nothing by themselves", () => {
    const plain =
      'build: { steps: [{ name: a, run: b, env: { A: "1" } }] }\ntest: { steps: [{ name: lint, run: make lint, env: { A: "1" } }] }\n';
    expect(accept(file).config).toEqual(accept(plain).config);
    expect(accept(file).digest).toBe(accept(plain).digest);
    expect(accept(`x-note: anything { goes }\n${whole}`).config).toEqual(accept(whole).config);
  });

  it("are unknown anywhere else", () => {
    expect(refuseOnce(step("x-note: 1"))).toContain('Unknown key "x-note" in build.steps[0]');
    expect(refuseOnce(`x: 1\n${whole}`)).toContain('Unknown key "x" at the top of the file');
  });

  it("do not make a pipeline", () => {
    expect(refuse("x-a: 1\n")).toEqual([
      "1:1: The file has none of build, test and deploy, so there is nothing to run.",
    ]);
  });
});

describe("a variable in the value of a variable", () => {
  it.each([
    ['PATH: "$PATH:/opt/bin"', "PATH"],
    [`PATH: "/opt/bin:\${PATH}"`, "PATH"],
    [`PATH: "/opt/bin:\${PATH:-/bin}"`, "PATH"],
    ["LD_LIBRARY_PATH: /opt/lib:$LD_LIBRARY_PATH", "LD_LIBRARY_PATH"],
  ])("that is itself is an error: %s", (line, name) => {
    for (const text of [step(`env: { ${line} }`), `defaults: { env: { ${line} } }\n${whole}`]) {
      const parsed = parsePipelineFile(text, "f");
      expect(parsed).toMatchObject({
        ok: false,
        problems: [
          {
            message: `The variable "${name}" would contain the characters $${name}, because variables are not expanded in \`env\`.`,
            remedy: expect.stringContaining(`export ${name}=`),
          },
        ],
      });
    }
  });

  it("that is another is a note, once", () => {
    const text = 'defaults: { env: { CACHE: "$HOME/c", PRICE: 5$, RE: "^a$", LOW: $x } }\n';
    expect(accept(`${text}build: { steps: [{ name: a, run: b }, { name: c, run: d }] }\n`).notes).toEqual([
      "The variable CACHE contains the characters $HOME, because variables are not expanded in env. Set it in run to expand it.",
    ]);
  });
});
