import { describe, expect, it } from "vitest";
import { type ProposedFile, proposePipelineFile } from "../../../src/config/index.ts";
import { type Accepted, accept } from "./support.ts";

type Files = Record<string, string | null>;

function propose(files: Files): ProposedFile & { parsed: Accepted } {
  const proposed = proposePipelineFile(new Map(Object.entries(files)));
  return { ...proposed, parsed: accept(proposed.text) };
}

/** `name: script` of every step. */
function steps(files: Files, stage: "build" | "test"): readonly string[] {
  const { config } = propose(files).parsed;
  return config[stage]?.steps.map((step) => `${step.name}: ${step.run.trimEnd()}`) ?? [];
}

const manifest = (fields: object) => JSON.stringify({ name: "@scope/web", version: "1.0.0", ...fields });

describe("the starting file", () => {
  it("has one step that runs anywhere where nothing is known", () => {
    expect(steps({}, "build")).toEqual(["hello: echo 'Hello from Shipinator'\nls"]);
    expect(propose({ "README.md": null }).text).toMatch(/^# /);
  });

  it("uses the scripts that a Node package has, and no others", () => {
    const files = {
      "package.json": manifest({
        scripts: { build: "tsc", test: "node --test", lint: "eslint ." },
        dependencies: { a: "1" },
      }),
      "package-lock.json": null,
    };
    expect(steps(files, "build")).toEqual(["install: npm ci", "build: npm run build", "pack: npm pack"]);
    expect(steps(files, "test")).toEqual(["install: npm ci", "lint: npm run lint", "unit: npm run test"]);
    expect(propose(files).parsed.config.build?.steps[2]?.outputs).toEqual([
      { name: "web", type: "binary", path: "*.tgz", ref: null },
    ]);
  });

  it.each([
    ["pnpm-lock.yaml", "pnpm install --frozen-lockfile", "pnpm run test"],
    ["yarn.lock", "yarn install --frozen-lockfile", "yarn run test"],
    ["bun.lock", "bun install --frozen-lockfile", "bun run test"],
    ["npm-shrinkwrap.json", "npm ci", "npm run test"],
  ])("knows the package manager of %s", (lockfile, install, test) => {
    expect(steps({ "package.json": manifest({ scripts: { test: "x" } }), [lockfile]: null }, "test")).toEqual(
      [`install: ${install}`, `unit: ${test}`],
    );
  });

  it("installs nothing where there is nothing to install", () => {
    expect(
      steps({ "package.json": manifest({ private: true, scripts: { test: "node --test" } }) }, "test"),
    ).toEqual(["unit: npm run test"]);
  });

  it("is not taken in by the test that npm writes into a new package", () => {
    const placeholder = { test: 'echo "Error: no test specified" && exit 1' };
    expect(steps({ "package.json": manifest({ private: true, scripts: placeholder }) }, "test")).toEqual([]);
    expect(steps({ "package.json": manifest({ private: true, scripts: placeholder }) }, "build")).toEqual([
      "look: node --version",
    ]);
  });

  it.each([
    "",
    "{",
    "[]",
    "null",
    '{"scripts":[],"name":5,"version":{}}',
    '{"name":"a\\n- name: x","version":"1","scripts":{"test":5}}',
  ])("makes something of the package.json %j", (content) => {
    expect(propose({ "package.json": content }).parsed.config.build?.steps.length).toBeGreaterThan(0);
  });

  it("builds what a Go module has", () => {
    expect(steps({ "go.mod": "module example.org/team/web/v2\n", "main.go": null }, "build")).toEqual([
      "compile: go build -o bin/web .",
    ]);
    expect(
      steps({ "go.mod": "module x\n", "cmd/one/main.go": null, "cmd/two/main.go": null }, "build"),
    ).toEqual(["compile: mkdir -p bin\ngo build -o bin/ ./cmd/..."]);
    expect(steps({ "go.mod": "module x\n" }, "build")).toEqual(["compile: go build ./..."]);
    expect(propose({ "go.mod": "module x\n" }).parsed.config.test?.steps[1]?.outputs[0]?.type).toBe(
      "coverage",
    );
    expect(steps({ "go.mod": null, "main.go": null }, "build")).toEqual(["compile: go build ./..."]);
  });

  it("builds a Rust crate", () => {
    const toml = '[workspace]\nname = "no"\n[package]\nname = "tool"\n';
    const { config } = propose({ "Cargo.toml": toml, "Cargo.lock": null, "src/main.rs": null }).parsed;
    expect(config.build?.steps[0]).toMatchObject({
      run: "cargo build --release --locked",
      outputs: [{ name: "tool", path: "target/release/tool" }],
    });
    expect(steps({ "Cargo.toml": toml }, "test")).toEqual(["unit: cargo test"]);
  });

  it("does not take a variable of a Makefile for a target", () => {
    const makefile = "test ::= 1\ncheck := 2\nbuild :::= 3\nhello : x\n";
    expect(steps({ Makefile: makefile }, "build")).toEqual(["make: make"]);
    expect(steps({ Makefile: makefile }, "test")).toEqual([]);
    expect(steps({ Makefile: "test :: a\n" }, "test")).toEqual(["test: make test"]);
  });

  it("packs of a chart in the root what is the chart's", () => {
    const files = { "Chart.yaml": "name: web\n", "templates/a.yaml": null, "main.c": null };
    const { config } = propose(files).parsed;
    expect(config.build?.steps[0]).toMatchObject({
      run: "mkdir -p out/web\ncp -R Chart.yaml templates out/web/\n",
      outputs: [{ type: "helm_chart", path: "out/web" }],
    });
  });

  it("leaves it to a person what a crate with programs of its own names makes", () => {
    const toml = '[package]\nname = "tool"\n[[bin]]\nname = "other"\npath = "src/main.rs"\n';
    const { config } = propose({ "Cargo.toml": toml, "src/main.rs": null }).parsed;
    expect(config.build?.steps[0]?.outputs).toEqual([]);
  });

  it.each([
    [["test_a.py"], "python3 -m unittest discover"],
    [["tests/__init__.py", "tests/test_a.py"], "python3 -m unittest discover"],
    [["tests/test_a.py"], "python3 -m unittest discover -s tests"],
    [["tests/a_test.py"], "python3 -m unittest discover -s tests -p '*_test.py'"],
    [["tests/data.json", "te st/test_b.py"], "python3 -m compileall -q ."],
  ])("lets unittest find %j", (paths, script) => {
    const files = { "pyproject.toml": "", ...Object.fromEntries(paths.map((path) => [path, null])) };
    expect(steps(files, "test")).toEqual([expect.stringContaining(script)]);
  });

  it("builds and tests a Python project", () => {
    const toml = '[build-system]\nrequires = ["x"]\n[project]\nname = "tool"\n[tool.pytest.ini_options]\n';
    expect(steps({ "pyproject.toml": toml }, "build")).toEqual([
      "wheel: python3 -m venv .venv\n.venv/bin/pip wheel --no-deps --wheel-dir dist .",
    ]);
    expect(steps({ "pyproject.toml": toml, "src/tool/test_a.py": null }, "test")[0]).toContain(
      ".venv/bin/python -m pytest",
    );
    expect(steps({ "pyproject.toml": toml }, "test")).toEqual(["compile: python3 -m compileall -q ."]);
    expect(steps({ "pyproject.toml": "" }, "test")).toEqual(["compile: python3 -m compileall -q ."]);
  });

  it("uses the targets of a Makefile, where no language says more", () => {
    expect(steps({ Makefile: "CC := gcc\nall: a b\ncheck: all\n\t./check\n" }, "build")).toEqual([
      "make: make all",
    ]);
    expect(steps({ Makefile: "build test:\n\ttrue\n" }, "test")).toEqual(["test: make test"]);
    expect(steps({ Makefile: "test := x\nprog: prog.c\n" }, "test")).toEqual([]);
    expect(steps({ Makefile: "prog: prog.c\n" }, "build")).toEqual(["make: make"]);
    expect(steps({ Makefile: "test:\n", "go.mod": "module x\n" }, "build")).toEqual([
      "compile: go build ./...",
    ]);
  });

  it("keeps a chart, and leaves the deploy to a person", () => {
    const { parsed, text } = propose({ "charts/web/Chart.yaml": "apiVersion: v2\nname: web\n" });
    expect(parsed.config.build?.steps[0]?.outputs).toEqual([
      { name: "chart", type: "helm_chart", path: "charts/web", ref: null },
    ]);
    expect(parsed.config.deploy).toBeNull();
    expect(
      accept(text.replace(/^# (deploy:| {2}artifact:| {2}namespace:)/gm, "$1")).config.deploy,
    ).toMatchObject({ artifact: "chart", artifactType: "helm_chart" });
    expect(
      propose({ "Chart.yaml": null, "package.json": manifest({}) }).parsed.config.build?.steps[0]?.outputs[0]
        ?.name,
    ).toBe("web");
    const two = propose({ "charts/a/Chart.yaml": "name: a\n", "charts/b/Chart.yaml": "name: b\n" }).parsed;
    expect(two.config.build?.steps.map((step) => step.name)).toEqual(["chart-a", "chart-b"]);
  });

  it("builds the image where a Dockerfile is all there is, and otherwise shows how", () => {
    expect(propose({ Dockerfile: null }).parsed.config.build?.steps[0]?.outputs).toEqual([
      { name: "image", type: "oci_image", path: "image.tar", ref: null },
    ]);
    expect(propose({ Dockerfile: null, "go.mod": "module x\n" }).text).toContain("#     - name: image");
  });

  it("gives each of several kinds names of its own", () => {
    const files = {
      "package.json": manifest({ scripts: { test: "x" } }),
      "go.mod": "module example.org/web\n",
      "main.go": null,
      "Cargo.toml": '[package]\nname = "web"\n',
      "src/main.rs": null,
      "pyproject.toml": '[build-system]\n[project]\nname = "web"\n',
      "charts/web/Chart.yaml": "name: web\n",
      Dockerfile: null,
    };
    const { parsed, reason } = propose(files);
    expect(parsed.config.build?.steps.flatMap((step) => step.outputs.map((output) => output.name))).toEqual([
      "web",
      "go-web",
      "rust-web",
      "python-web",
      "chart",
    ]);
    expect(reason).toBe(
      "Based on package.json, go.mod, Cargo.toml, pyproject.toml, charts/web/Chart.yaml, Dockerfile.",
    );
  });

  it("lets no name break out of its place", () => {
    const evil = 'x"\n    - name: evil\n      run: rm -rf ~\n#';
    for (const files of [
      { "package.json": manifest({ name: evil, scripts: { test: evil } }) },
      { "go.mod": `module ${evil}\n`, "main.go": null, "cmd/$(x)/main.go": null },
      { "Cargo.toml": `[package]\nname = "${evil}"\n`, "src/main.rs": null },
      { "a b;c/Chart.yaml": `name: ${evil}\n`, "$(x)/Chart.yaml": null },
      { Makefile: `${evil}: x\n` },
    ])
      expect(propose(files).text).not.toMatch(/evil|rm -rf|\$\(x\)/);
  });
});
