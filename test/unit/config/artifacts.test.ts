import { describe, expect, it } from "vitest";
import { accept, output, refuse, refuseOnce, step } from "./support.ts";

describe("outputs", () => {
  it.each([
    ["/bin/app", "is absolute"],
    ["../app", "leads out of the workspace"],
    ["a/../../b", "leads out of the workspace"],
    ["..", "leads out of the workspace"],
    ["a\\nb", "holds a newline or another control character"],
    ["a\\u001bb", "holds a newline or another control character"],
    [" ", "is empty"],
    [".", "is the workspace itself"],
    ["././/", "is the workspace itself"],
  ])("refuses the path %j", (path, message) => {
    const found = refuse(output(`type: binary, name: o, path: "${path}"`));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^6:42: build.steps\[0\].outputs\[0\].path /);
    expect(found[0]).toContain(message);
  });

  it("refuses a path of 4,000 characters, and takes one of 1,024 and dots in names", () => {
    expect(refuseOnce(output(`type: binary, name: o, path: ${"a".repeat(4000)}`))).toContain(
      "has 4000 characters, and at most 1024",
    );
    const path = `${"a/".repeat(508)}${"b".repeat(8)}`;
    expect(
      accept(output(`type: binary, name: o, path: ${path}`)).config.build?.steps[0]?.outputs[0]?.path,
    ).toBe(path);
    expect(accept(output("type: binary, name: o, path: a..b/...")).notes).toEqual([]);
  });

  it.each([
    ["type: binary", "6:11: build.steps[0].outputs[0] has no path."],
    ["type: oci_image", "6:11: build.steps[0].outputs[0] has neither a path nor a ref."],
    [
      "type: oci_image, path: a, ref: r/a",
      "6:39: build.steps[0].outputs[0] has both a path and a ref, and only one is allowed.",
    ],
    ["type: helm_chart, ref: r/a", "6:31: Only an oci_image can have a ref, not a helm_chart."],
    [
      "type: oci_image, ref: 'R/App'",
      '6:35: build.steps[0].outputs[0].ref is not an image reference: "R/App".',
    ],
    ["type: oci_image, ref: 'a b'", '6:35: build.steps[0].outputs[0].ref is not an image reference: "a b".'],
    [
      "type: oci_image, ref: '-a/b'",
      '6:35: build.steps[0].outputs[0].ref is not an image reference: "-a/b".',
    ],
    [
      "type: tarball, path: a",
      '6:19: build.steps[0].outputs[0].type must be binary, oci_image, helm_chart or manifest, not "tarball".',
    ],
    [
      "type: coverage, path: a",
      '6:19: build.steps[0].outputs[0].type must be binary, oci_image, helm_chart or manifest, not "coverage".',
    ],
    ["type: binary, path: a, pth: b", '6:36: Unknown key "pth" in build.steps[0].outputs[0]. [path]'],
    ["path: a", "6:11: build.steps[0].outputs[0].type is missing."],
    [
      "type: binary, name: 'a b', path: a",
      '6:33: build.steps[0].outputs[0].name must be 1 to 128 characters of A-Z, a-z, 0-9, ".", "_" and "-", the first a letter or digit.',
    ],
  ])("refuses { %s }", (fields, message) => {
    expect(refuse(output(fields))[0]).toBe(message);
  });

  it.each([
    ["type: binary, path: bin/app", "app"],
    ["type: binary, path: ./dist//", "dist"],
    ["type: oci_image, ref: 'localhost:5000/team/app:{{ .commit }}'", "app"],
    ["type: oci_image, ref: app", "app"],
    [`type: oci_image, ref: 'r.example/app@sha256:${"0".repeat(64)}'`, "app"],
    ["type: binary, name: own, path: bin/*", "own"],
  ])("names { %s }", (fields, name) => {
    expect(accept(output(fields)).config.build?.steps[0]?.outputs[0]?.name).toBe(name);
  });

  it.each([
    ["type: binary, path: bin/*", "bin/*"],
    ["type: binary, path: a/.npmrc", "a/.npmrc"],
    ["type: binary, path: 'a b'", "a b"],
    ["type: binary, path: 'bin/{{ .commit }}'", "bin/{{ .commit }}"],
    ["type: oci_image, ref: 'r/{{ .pipeline }}:x'", "r/{{ .pipeline }}:x"],
  ])("cannot name { %s }", (fields, source) => {
    expect(refuseOnce(output(fields))).toContain(`No name can be derived from ${JSON.stringify(source)}`);
  });

  it("refuses two of one name in the file, derived or given, in different stages", () => {
    const text = `${output("type: binary, path: bin/app")}test:\n  steps:\n    - { name: t, run: x, artifacts: [{ type: coverage, name: app, path: c }] }\n`;
    expect(refuseOnce(text)).toBe('9:62: Two outputs are called "app". The first is in line 6.');
  });

  it("wants a path for what a test keeps", () => {
    expect(
      refuseOnce("test: { steps: [{ name: t, run: x, artifacts: [{ type: coverage, name: c }] }] }\n"),
    ).toContain("path is missing");
    expect(
      refuse("test: { steps: [{ name: t, run: x, artifacts: [{ type: binary, path: c }] }] }\n")[0],
    ).toContain("must be coverage or test_report");
  });
});

describe("deploy", () => {
  const built = (outputs: string, deploy: string) =>
    `${step(`outputs: [${outputs}]`)}deploy: { ${deploy} }\n`;
  const app = "{ type: binary, path: bin/app }";
  const chart = "{ type: helm_chart, path: charts/web }";

  it.each([
    [
      "what nobody builds",
      built(chart, "artifact: wbe"),
      '6:21: The deploy names the artifact "wbe", and no build step makes it. [web]',
    ],
    ["a type no output has", built(chart, "artifact: manifest"), "6:21: No output has the type manifest."],
    [
      "an ambiguous type",
      built(`${chart}, { type: helm_chart, name: api, path: charts/a }`, "artifact: helm_chart"),
      '6:21: "helm_chart" is the type of 2 outputs: web (line 5), api (line 5).',
    ],
    [
      "a binary without a script",
      built(app, "artifact: app"),
      "6:21: An artifact of type binary needs a deploy script.",
    ],
    [
      "an image without a script",
      built("{ type: oci_image, ref: r/app }", "artifact: oci_image"),
      "6:21: An artifact of type oci_image needs a deploy script.",
    ],
    ["nothing at all", "deploy: { namespace: a }\n", "1:1: The deploy has neither an artifact nor a script."],
    [
      "an artifact without a build",
      "deploy: { artifact: web }\n",
      '1:21: The deploy names the artifact "web", and no build step makes it.',
    ],
    ["an unknown target", "deploy: { run: x, target: prod }\n", '1:27: The deploy target "prod" is unknown.'],
    [
      "a bad namespace",
      "deploy: { run: x, namespace: Foo_Bar }\n",
      '1:30: deploy.namespace must be at most 63 lower-case letters, digits and "-", a letter or digit at both ends, not "Foo_Bar".',
    ],
    [
      "a bad release",
      "deploy: { run: x, release: -a }\n",
      '1:28: deploy.release must be at most 53 lower-case letters, digits and "-", a letter or digit at both ends, not "-a".',
    ],
    [
      "a shell for nothing",
      built(chart, "artifact: web, shell: bash"),
      "6:26: `shell` has no effect in a deploy without `run`.",
    ],
    [
      "a reserved variable",
      "deploy: { run: x, env: { CI: y } }\n",
      '1:26: The variable "CI" is set by Shipinator and cannot be overridden.',
    ],
    [
      "a timeout too long",
      "deploy: { run: x, timeout: 2000m }\n",
      '1:28: deploy.timeout must be between 1 second and 24 hours, not "2000m".',
    ],
    ["a secret twice", "deploy: { run: x, secrets: [A, A] }\n", '1:32: The secret "A" is named twice.'],
  ])("refuses %s", (_what, text, message) => {
    expect(refuseOnce(text)).toBe(message);
  });

  it("refuses what a test keeps", () => {
    const text =
      "test: { steps: [{ name: t, run: x, artifacts: [{ type: coverage, path: c }] }] }\ndeploy: { artifact: c, run: x }\n";
    expect(refuseOnce(text)).toContain('"c" is an artifact of a test');
    expect(refuse(text.replace("artifact: c,", "artifact: coverage,"))[0]).toContain(
      '"coverage" is an artifact of a test',
    );
  });

  it("does not blame the deploy where an output has no usable name", () => {
    expect(refuse(built("{ type: helm_chart, path: 'charts/*' }", "artifact: web"))).toEqual([
      '5:43: No name can be derived from "charts/*".',
    ]);
  });

  it("finds an artifact by name before type, and by type", () => {
    expect(accept(built(chart, "artifact: helm_chart")).config.deploy).toMatchObject({
      artifact: "web",
      artifactType: "helm_chart",
    });
    const both = `{ type: helm_chart, name: manifest, path: c }, { type: manifest, name: m, path: k }`;
    expect(accept(built(both, "artifact: manifest")).config.deploy).toMatchObject({
      artifact: "manifest",
      artifactType: "helm_chart",
    });
    expect(accept(built(app, "artifact: app, run: x")).config.deploy).toMatchObject({
      artifact: "app",
      artifactType: "binary",
      run: "x",
    });
  });

  it("takes a target that the server names", () => {
    expect(accept("deploy: { run: x, target: prod }\n", ["prod"]).config.deploy?.target).toBe("prod");
  });
});
