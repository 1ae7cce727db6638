import { describe, expect, it } from "vitest";
import { parseImageReference } from "../../../src/artifacts/images/registry.ts";
import { Problem } from "../../../src/kernel/index.ts";

const digest = `sha256:${"0f".repeat(32)}`;

describe("an image reference", () => {
  it.each([
    ["alpine", "registry-1.docker.io", "library/alpine", "latest"],
    ["alpine:3", "registry-1.docker.io", "library/alpine", "3"],
    ["team/app", "registry-1.docker.io", "team/app", "latest"],
    ["team/group/app:1", "registry-1.docker.io", "team/group/app", "1"],
    ["docker.io/alpine", "registry-1.docker.io", "library/alpine", "latest"],
    ["index.docker.io/team/app:1", "registry-1.docker.io", "team/app", "1"],
    ["localhost/app", "localhost", "app", "latest"],
    ["localhost:5000/app:1", "localhost:5000", "app", "1"],
    ["10.0.0.1:5000/team/app", "10.0.0.1:5000", "team/app", "latest"],
    ["[::1]:5000/app:1", "[::1]:5000", "app", "1"],
    ["ghcr.io/team/app:v1.2-rc.1", "ghcr.io", "team/app", "v1.2-rc.1"],
    [`ghcr.io/team/app@${digest}`, "ghcr.io", "team/app", digest],
    [`ghcr.io/team/app:v1@${digest}`, "ghcr.io", "team/app", digest],
    ["host.test/a__b/c-d.e:_", "host.test", "a__b/c-d.e", "_"],
  ])("%s is asked of %s as %s at %s", (ref, host, repository, reference) => {
    expect(parseImageReference(ref)).toEqual({ host, repository, reference });
  });

  it.each([
    [""],
    ["/app"],
    ["host.test/"],
    ["host.test/App"],
    ["host.test/app:"],
    ["host.test/app:a b"],
    ["host.test/app@sha256:12"],
    ["host.test/../../v2/secret"],
    ["host.test/a//b"],
    ["host.test/app?x=y"],
    ["host.test/app#x"],
    ["user:password@host.test/app"],
    ["host.test:port/app"],
    ["host.test:1234567/app"],
    ["-host.test/app"],
    ["https://host.test/app"],
    ["host.test/app\nx"],
    [`host.test/app:${"a".repeat(129)}`],
  ])("%j is none", (ref) => {
    expect(() => parseImageReference(ref)).toThrow(Problem);
    expect(() => parseImageReference(ref)).toThrow("is not an image reference");
  });
});
