import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { archiveMode, bundlePrefix, linkStaysInside, safeSegments } from "../../../src/artifacts/paths.ts";
import { temporaryPath, writerOf } from "../../../src/artifacts/store/temporary.ts";
import { type InstanceId, newId } from "../../../src/kernel/index.ts";

describe("bundlePrefix", () => {
  it.each([
    ["charts/app", ["charts/app/Chart.yaml", "charts/app/templates/a.yaml"], "charts/app"],
    ["./charts/app/", ["charts/app/Chart.yaml"], "charts/app"],
    ["dist/*.deb", ["dist/a.deb", "dist/b.deb"], "dist"],
    ["dist/**/x/*.deb", ["dist/1/x/a.deb", "dist/2/x/b.deb"], "dist"],
    ["*.txt", ["a.txt", "b.txt"], ""],
    ["{a,b}/x", ["a/x", "b/x"], ""],
    [".", ["a", "b/c"], ""],
    ["@(a|b)/x", ["a/x", "b/x"], ""],
    ["dist", ["distant/a"], ""],
  ])("of %s with %j is %j", (declared, files, prefix) => {
    expect(bundlePrefix(declared, files)).toBe(prefix);
  });
});

describe("safeSegments", () => {
  it.each(["", "/", "/etc", "a//b", "a/", "..", "a/../b", "a/..", ".", "./a", "a\0b"])(
    "refuses %j",
    (name) => {
      expect(safeSegments(name)).toBeNull();
    },
  );

  it.each(["a", "a/b", "...", "a..", "-rf", "a\nb", "ü/€"])("takes %j", (name) => {
    expect(safeSegments(name)).toEqual(name.split("/"));
  });
});

describe("linkStaysInside", () => {
  it.each([
    ["a", "b"],
    ["a/b", "../c"],
    ["a/b/c", "../../d"],
    ["a", "."],
    ["a/b", ".."],
    ["a", "./b//c"],
  ])("takes %s → %s", (name, target) => {
    expect(linkStaysInside(name, target)).toBe(true);
  });

  it.each([
    ["a", ".."],
    ["a/b", "../.."],
    ["a", "/etc/passwd"],
    ["a", ""],
    ["a", "b/.."],
    ["a", "b/../../c"],
    ["a", "../a"],
    ["a", "b\0"],
  ])("refuses %s → %j", (name, target) => {
    expect(linkStaysInside(name, target)).toBe(false);
  });

  it("never takes what leads out by name", () => {
    const segment = fc.constantFrom("a", "b", "..", ".", "");
    const route = fc.array(segment, { maxLength: 6 }).map((segments) => segments.join("/"));
    const place = fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(place, route, (segments, target) => {
        fc.pre(linkStaysInside(segments.join("/"), target));
        const resolved = path.posix.normalize([...segments.slice(0, -1), target].join("/"));
        expect(resolved === ".." || resolved.startsWith("../") || target.startsWith("/")).toBe(false);
      }),
    );
  });
});

describe("archiveMode", () => {
  it.each([
    [0o644, 0o644],
    [0o600, 0o644],
    [0o400, 0o644],
    [0o755, 0o755],
    [0o700, 0o755],
    [0o4711, 0o755],
    [0o001, 0o755],
  ])("of %o is %o", (mode, kept) => {
    expect(archiveMode(mode)).toBe(kept);
  });
});

describe("temporary names", () => {
  it("give their writer back", () => {
    for (const instance of ["1", "i-2", "0199-abc_D"]) {
      const nodeId = newId<InstanceId>();
      const name = path.basename(temporaryPath("/base", { nodeId, instance }));
      expect(writerOf(name)).toEqual({ nodeId, instance });
    }
  });

  it.each(["", "x", "lost+found", `${newId()}`, `${newId()}-i1-zz`])("do not claim %j", (name) => {
    expect(writerOf(name)).toBeNull();
  });

  it("refuse an instance that would leave the directory", () => {
    expect(() => temporaryPath("/base", { nodeId: newId(), instance: "../x" })).toThrow("cannot be the name");
  });
});
