import { describe, expect, it } from "vitest";
import { retryableReasons } from "../../../src/domain/index.ts";
import { accept, output, step } from "./support.ts";

const first = (text: string) => accept(text).config.build?.steps[0];

describe("what is accepted", () => {
  it("has defaults for everything", () => {
    expect(accept("build: { steps: [{ name: a, run: b }] }\n").config).toEqual({
      build: {
        steps: [
          {
            name: "a",
            run: "b",
            shell: null,
            image: null,
            env: {},
            timeoutSeconds: 3600,
            retry: null,
            secrets: [],
            parallelGroup: null,
            outputs: [],
          },
        ],
      },
      test: null,
      deploy: null,
      submodules: false,
    });
    const cloneOf = (text: string) => accept(`clone: ${text}\ndeploy: { run: x }\n`).config.clone;
    expect(cloneOf("{ depth: 3 }")).toEqual({ depth: 3, tags: true });
    expect(cloneOf("{ depth: full, tags: false }")).toEqual({ depth: null, tags: false });
    expect(accept("deploy: { run: x }\n").config.deploy).toEqual({
      artifact: null,
      artifactType: null,
      target: "local",
      namespace: "default",
      release: null,
      run: "x",
      shell: null,
      image: null,
      env: {},
      timeoutSeconds: 3600,
      secrets: [],
    });
  });

  it("lets a step's own word go before the file's", () => {
    const defaults = "defaults: { timeout: 5m, shell: bash -e, image: i, retry: 2, env: { A: 1, B: 2 } }\n";
    expect(first(defaults + step(""))).toMatchObject({
      timeoutSeconds: 300,
      shell: ["bash", "-e"],
      image: "i",
      retry: { max: 2, on: retryableReasons },
      env: { A: "1", B: "2" },
    });
    expect(
      first(defaults + step("timeout: 7\nshell: [python3]\nimage: j\nretry: 0\nenv: { B: 3 }")),
    ).toMatchObject({
      timeoutSeconds: 7,
      shell: ["python3"],
      image: "j",
      retry: null,
      env: { A: "1", B: "3" },
    });
    expect(accept(`${defaults}deploy: { run: x }\n`).config.deploy).toMatchObject({
      timeoutSeconds: 300,
      shell: ["bash", "-e"],
      image: "i",
      env: { A: "1", B: "2" },
    });
  });

  it.each([
    ["1", 1],
    ["90", 90],
    ['"90"', 90],
    ["30s", 30],
    ["10m", 600],
    ["1h30m", 5400],
    ["1h1m1s", 3661],
    ["90m", 5400],
    ["24h", 86_400],
  ])("takes the timeout %s", (timeout, seconds) => {
    expect(first(step(`timeout: ${timeout}`))?.timeoutSeconds).toBe(seconds);
  });

  it.each([
    ["1.10", "1.10"],
    ["0x1F", "0x1F"],
    ["010", "010"],
    ["1e3", "1e3"],
    ["true", "true"],
    ["yes", "yes"],
    ['""', ""],
    ["' a '", " a "],
    [".inf", ".inf"],
    ["12345678901234567890", "12345678901234567890"],
    ['"{{ .commit }}"', "{{ .commit }}"],
    ["2026-01-02", "2026-01-02"],
  ])("keeps the value %s of a variable as it is written", (value, text) => {
    expect(first(step(`env: { A: ${value} }`))?.env.A).toBe(text);
  });

  it("gives adjacent parallel steps one group, and others another that nobody named", () => {
    const { config, notes } = accept(`test:
  steps:
    - { name: a, run: x, parallel: true }
    - { name: b, run: x, parallel: true }
    - { name: c, run: x, parallel: false }
    - { name: d, run: x, parallel: true }
    - { name: e, run: x, parallel: true }
    - { name: f, run: x, parallel_group: parallel-2 }
    - { name: g, run: x, parallel_group: parallel-2 }
    - { name: h, run: x, parallel: true }
`);
    const groups = config.test?.steps.map((one) => one.parallelGroup);
    expect(groups).toEqual([
      "parallel-1",
      "parallel-1",
      null,
      "parallel-3",
      "parallel-3",
      "parallel-2",
      "parallel-2",
      "parallel-4",
    ]);
    expect(notes).toEqual(["Step h is alone in its parallel group, so it runs by itself."]);
  });

  it("keeps the reasons of a retry", () => {
    expect(first(step("retry: { max: 1, on: [timed_out, evicted] }"))?.retry).toEqual({
      max: 1,
      on: ["timed_out", "evicted"],
    });
    expect(first(step("retry: { max: 3 }"))?.retry).toEqual({ max: 3, on: retryableReasons });
  });

  it("cleans paths and keeps refs as they are", () => {
    expect(first(output("type: manifest, name: o, path: ./k8s//x/"))?.outputs).toEqual([
      { name: "o", type: "manifest", path: "k8s/x", ref: null },
    ]);
    expect(first(output("type: oci_image, ref: 'r.test/a:{{ .commit }}-{{branch}}'"))?.outputs).toEqual([
      { name: "a", type: "oci_image", path: null, ref: "r.test/a:{{ .commit }}-{{branch}}" },
    ]);
  });

  it("takes names with templates in a deploy", () => {
    const deploy = accept('deploy: { run: x, namespace: "pr-{{ .branch }}", release: "{{pipeline}}" }\n')
      .config.deploy;
    expect(deploy).toMatchObject({ namespace: "pr-{{ .branch }}", release: "{{pipeline}}" });
  });
});

describe("digest", () => {
  it("is the same for files that mean the same", () => {
    const one = "build:\n  steps:\n    - name: a # comment\n      run: b\n      env: { X: 1, Y: 2 }\n";
    const other = 'build: { steps: [{ env: { "Y": "2", X: "1" }, run: "b", name: a, timeout: 1h }] }\n';
    expect(accept(one).digest).toBe(accept(other).digest);
    expect(accept(one).digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it("differs with any meaning", () => {
    const digests = ["", "timeout: 1", "env: { A: 1 }", "env: { A: 1.0 }", "retry: 1", "image: x"].map(
      (fields) => accept(step(fields)).digest,
    );
    expect(new Set(digests).size).toBe(digests.length);
  });
});
