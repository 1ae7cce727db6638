import { describe, expect, it } from "vitest";
import { findHierarchies } from "../../../src/executor/local/containment/hierarchy.ts";

const mount = (root: string, point: string, type: string, options: string) =>
  `30 25 0:27 ${root} ${point} rw,relatime - ${type} ${type} rw,${options}`;

describe("control groups as a machine mounts them", () => {
  it("unified alone", () => {
    expect(
      findHierarchies(
        mount("/", "/sys/fs/cgroup", "cgroup2", "nsdelegate"),
        "0::/system.slice/ship.service\n",
      ),
    ).toEqual({
      unified: "/sys/fs/cgroup/system.slice/ship.service",
      freezer: null,
      memory: null,
    });
  });

  it("hybrid", () => {
    const mounts = [
      mount("/", "/sys/fs/cgroup/freezer", "cgroup", "freezer"),
      mount("/", "/sys/fs/cgroup/memory", "cgroup", "memory"),
      mount("/", "/sys/fs/cgroup/unified", "cgroup2", "x"),
    ].join("\n");
    expect(findHierarchies(mounts, "6:freezer:/\n4:memory:/a:b\n0::/\n")).toEqual({
      unified: "/sys/fs/cgroup/unified",
      freezer: "/sys/fs/cgroup/freezer",
      memory: "/sys/fs/cgroup/memory/a:b",
    });
  });

  it("a container that sees its own group as the mount's root", () => {
    expect(
      findHierarchies(mount("/docker/1", "/sys/fs/cgroup", "cgroup2", "x"), "0::/docker/1/sub").unified,
    ).toBe("/sys/fs/cgroup/sub");
  });

  it("none, or a group outside of what is mounted", () => {
    const none = { unified: null, freezer: null, memory: null };
    expect(findHierarchies("", "")).toEqual(none);
    expect(findHierarchies(mount("/", "/sys/fs/cgroup", "cgroup2", "x"), "0::/../other")).toEqual(none);
    expect(findHierarchies("1 2 0:3 / / rw - ext4 /dev/vda rw", "0::/\n")).toEqual(none);
  });
});
