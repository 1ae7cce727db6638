import { describe, expect, it } from "vitest";
import { accept, output, refuse, refuseOnce, step } from "./support.ts";

describe("shape", () => {
  it.each([
    [
      "a mistyped stage",
      "biuld: { steps: [] }\n",
      '1:1: Unknown key "biuld" at the top of the file. [build]',
    ],
    [
      "no stage",
      "submodules: true\n",
      "1:1: The file has none of build, test and deploy, so there is nothing to run.",
    ],
    ["an empty stage", "build:\n", "1:1: build is empty."],
    ["no steps", "build: { steps: [] }\n", "1:17: build.steps is empty; a stage needs at least one step."],
    ["steps missing", "test: {}\n", "1:7: test.steps is missing."],
    ["a list for a stage", "build: [a]\n", "1:8: build must be a mapping, not a list."],
    ["a name missing", "build: { steps: [{ run: b }] }\n", "1:18: build.steps[0].name is missing."],
    [
      "a name that is a number",
      "build: { steps: [{ name: 1, run: b }] }\n",
      "1:26: build.steps[0].name must be text, not the number 1.",
    ],
    [
      "an empty script",
      'build: { steps: [{ name: a, run: " " }] }\n',
      "1:34: build.steps[0].run is empty, so there is nothing to run.",
    ],
    [
      "a script as a list",
      "build: { steps: [{ name: a, run: [b] }] }\n",
      "1:34: build.steps[0].run must be text, not a list.",
    ],
    [
      "a wrong boolean",
      step("parallel: yes"),
      '5:17: build.steps[0].parallel must be true or false, not the text "yes".',
    ],
    ["an unknown key", step("timout: 3"), '5:7: Unknown key "timout" in build.steps[0]. [timeout]'],
    [
      "an Unknown key in a retry",
      step("retry: { max: 1, when: [] }"),
      '5:24: Unknown key "when" in build.steps[0].retry: the reasons for another attempt are called on.',
    ],
    [
      "an unknown reason",
      step("retry: { max: 1, on: [timedout] }"),
      '5:29: build.steps[0].retry.on[0] must be script_failed, timed_out, out_of_memory, evicted, node_lost, image_pull_failed, unschedulable, start_failed or executor_lost, not "timedout". [timed_out]',
    ],
    [
      "a reason twice",
      step("retry: { max: 1, on: [evicted, evicted] }"),
      '5:38: The reason "evicted" is named twice.',
    ],
    ["too many retries", step("retry: 11"), "5:14: build.steps[0].retry must be at most 10."],
    [
      "a retry of text",
      step("retry: often"),
      "5:14: build.steps[0].retry must be a number of further attempts, or a mapping of max and on.",
    ],
    [
      "a retry for nothing",
      step("retry: { max: 1, on: [] }"),
      "5:28: build.steps[0].retry.on must name at least one reason.",
    ],
    [
      "a wrong shell",
      step("shell: 3"),
      '5:14: build.steps[0].shell must be a command such as "bash -e", or a list of its words.',
    ],
    [
      "an image with blanks",
      step('image: "a b"'),
      "5:14: build.steps[0].image must be the name of an image, without blanks.",
    ],
    [
      "submodules as text",
      "submodules: often\nbuild: { steps: [{ name: a, run: b }] }\n",
      '1:13: submodules must be true or false, not the text "often".',
    ],
  ])("refuses %s", (_what, text, message) => {
    expect(refuseOnce(text)).toBe(message);
  });

  it("does not also call missing what is only misspelt", () => {
    expect(refuse("build: { steps: [{ nam: a, rnu: b }] }\n")).toEqual([
      '1:20: Unknown key "nam" in build.steps[0]. [name]',
      '1:28: Unknown key "rnu" in build.steps[0]. [run]',
    ]);
  });

  it.each([
    ["deploy: { run: x, retry: 1 }\n", "a deploy is never retried automatically"],
    ["deploy: { steps: [] }\n", "a deploy is one step"],
    ["build: { steps: [{ name: a, run: b, artifacts: [] }] }\n", "a build step makes outputs"],
    ["test: { steps: [{ name: a, run: b, outputs: [] }] }\n", "a test step keeps artifacts"],
    ["build: { steps: [{ name: a, script: b }] }\n", "the script is called run"],
    ["env: {}\nbuild: { steps: [{ name: a, run: b }] }\n", "belong in the defaults"],
  ])("says where a key belongs: %s", (text, fact) => {
    expect(refuse(text).join("\n")).toContain(fact);
  });

  it.each(["-a", "a b", "ä", ".a", "a/b", "a".repeat(65)])("refuses the step name %s", (name) => {
    expect(refuseOnce(`build: { steps: [{ name: "${name}", run: b }] }\n`)).toContain(
      "must be 1 to 64 characters",
    );
  });

  it.each(["0", "0s", "25h", "86401", "-1", "99999999h"])("refuses the timeout %s", (timeout) => {
    expect(refuseOnce(step(`timeout: ${timeout}`))).toMatch(/^5:16: build.steps\[0\].timeout must be/);
  });

  it.each(["soon", "1.5", "1h30", "h", '""', "2d", ".inf", "1e3s"])(
    "does not understand the timeout %s",
    (timeout) => {
      expect(refuseOnce(step(`timeout: ${timeout}`))).toContain('must be a duration such as "90s"');
    },
  );
});

describe("steps", () => {
  it("refuses two of one name in a stage, and takes them in two stages", () => {
    const two = "{ steps: [{ name: a, run: b },\n  { name: a, run: c }] }\n";
    expect(refuseOnce(`build: ${two}`)).toBe(
      '2:11: Two steps of build are called "a". The first is in line 1.',
    );
    expect(
      accept("build: { steps: [{ name: a, run: b }] }\ntest: { steps: [{ name: a, run: b }] }\n").notes,
    ).toEqual([]);
  });

  it("refuses more than 5,000 over all stages", { timeout: 30_000 }, () => {
    const steps = (count: number, prefix: string) =>
      Array.from({ length: count }, (_, index) => `    - { name: ${prefix}${index}, run: x }\n`).join("");
    const file = (tests: number) =>
      `build:\n  steps:\n${steps(4000, "b")}test:\n  steps:\n${steps(tests, "t")}`;
    expect(accept(file(1000)).config.test?.steps).toHaveLength(1000);
    expect(refuseOnce(file(1001))).toBe("5005:7: The file has 5001 steps, and at most 5000 are allowed.");
  });

  it("refuses a group torn apart", () => {
    const text = `test:
  steps:
    - { name: a, run: x, parallel_group: g }
    - { name: b, run: x }
    - { name: c, run: x, parallel_group: g }
`;
    expect(refuseOnce(text)).toBe('5:42: The parallel group "g" is interrupted by step "b" in line 4.');
  });

  it.each(["true", "false"])("refuses parallel: %s beside a group", (value) => {
    expect(refuseOnce(step(`parallel_group: g\nparallel: ${value}`))).toBe(
      "6:7: `parallel` and `parallel_group` exclude each other.",
    );
  });

  it("takes secrets by name, each once and not beside a variable of that name", () => {
    expect(accept(step("secrets: [TOKEN, OTHER]")).config.build?.steps[0]?.secrets).toEqual([
      "TOKEN",
      "OTHER",
    ]);
    expect(refuseOnce(step("secrets: [not-a-name]"))).toContain("must be a name such as REGISTRY_PASSWORD");
    expect(refuseOnce(step("secrets: [TOKEN, TOKEN]"))).toContain('The secret "TOKEN" is named twice');
    expect(refuseOnce(step("env: { TOKEN: x }\nsecrets: [TOKEN]"))).toContain('"TOKEN" is also in `env`');
    expect(refuseOnce(step("secrets: [SHIPINATOR_COMMIT]"))).toContain("is set by Shipinator");
    expect(accept(step("secrets: []")).config.build?.steps[0]?.secrets).toEqual([]);
  });
});

describe("environment", () => {
  it.each(["2A", "A-B", "A B", '""', "Ä", "A=B"])("refuses the name %s", (name) => {
    expect(refuseOnce(step(`env: { ${name}: x }`))).toContain(
      "must be letters, digits and underscores, the first no digit",
    );
  });

  it.each(["CI", "SHIPINATOR_COMMIT", "SHIPINATOR_"])("keeps %s for itself", (name) => {
    expect(refuseOnce(step(`env: { ${name}: x }`))).toBe(
      `5:14: The variable "${name}" is set by Shipinator and cannot be overridden.`,
    );
    expect(refuseOnce(`defaults: { env: { ${name}: x } }\n${step("")}`)).toContain("1:20: The variable");
  });

  it("refuses an empty value and a list", () => {
    expect(refuseOnce(step("env:\n  A:"))).toContain(
      '6:9: build.steps[0].env.A must be text, a number or a boolean (for an empty one write "").',
    );
    expect(refuseOnce(step("env: { A: [x] }"))).toContain("must be text, a number or a boolean");
  });

  it("refuses what the kernel would not pass on, to the byte", () => {
    const env = (bytes: number) => step(`env: { AB: "${"x".repeat(bytes)}" }`);
    expect(accept(env(131_071 - 3)).config.build?.steps[0]?.env.AB).toHaveLength(131_068);
    expect(refuseOnce(env(131_071 - 2))).toContain("the kernel allows at most 131071 for NAME=value");
    expect(refuseOnce(step(`env: { A: "${"é".repeat(65_535)}" }`))).toContain("131070 bytes");
  });

  it("takes a script of 200 KiB", () => {
    expect(
      accept(`build: { steps: [{ name: a, run: "${"x".repeat(200 * 1024)}" }] }\n`).config.build?.steps,
    ).toHaveLength(1);
  });
});

describe("template variables", () => {
  it.each([
    ["a path", output('type: binary, name: o, path: "bin/{{ .comit }}"'), "6:47"],
    ["a ref", output('type: oci_image, name: o, ref: "r/a:{{ .comit }}"'), "6:49"],
    ["an image", step('image: "a:{{.comit}}"'), "5:17"],
    ["a variable", step('env: { A: "x {{ .comit }}" }'), "5:20"],
    ["a default", `defaults: { image: "{{.comit}}" }\n${step("")}`, "1:21"],
    ["a namespace", 'deploy: { run: x, namespace: "n-{{ comit }}" }\n', "1:33"],
    ["a release", 'deploy: { run: x, release: "{{comit}}" }\n', "1:29"],
  ])("refuses an unknown one in %s", (_what, text, place) => {
    expect(refuseOnce(text)).toBe(`${place}: Unknown template variable "comit". [commit]`);
  });

  it("finds each of several, in a block too", () => {
    const text = step("env:\n  A: |\n    one {{ .x }}\n    two {{ .y }} {{ .commit\n");
    expect(refuse(text)).toEqual([
      '7:15: Unknown template variable "x".',
      '8:15: Unknown template variable "y".',
      '8:24: The template variable that begins with "{{" is not closed by "}}".',
    ]);
  });

  it("leaves scripts alone", () => {
    const script = "docker inspect -f '{{ .Id }} {{' x";
    expect(accept(`build: { steps: [{ name: a, run: "${script}" }] }\n`).config.build?.steps[0]?.run).toBe(
      script,
    );
    expect(accept(`deploy: { run: "${script}" }\n`).config.deploy?.run).toBe(script);
  });
});
