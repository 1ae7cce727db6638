import { describe, expect, it } from "vitest";
import { errorCode, isId, newId, Problem, problems } from "../../../src/kernel/index.ts";

describe("a problem", () => {
  it("carries status and exit code of its code", () => {
    const problem = new Problem("config_invalid", "no", { remedy: "fix it", place: "a.yaml:1:1" });
    expect(problem).toMatchObject({ status: 422, exitCode: 2, remedy: "fix it", place: "a.yaml:1:1" });
  });

  it("passes through from() unchanged, and anything else becomes internal", () => {
    const problem = new Problem("gone", "x");
    expect(Problem.from(problem)).toBe(problem);
    const cause = new TypeError("odd");
    expect(Problem.from(cause)).toMatchObject({ code: "internal", message: "odd", cause });
    expect(Problem.from("text")).toMatchObject({ code: "internal", message: "text" });
  });

  it("has only the documented exit codes", () => {
    for (const [status, exit] of Object.values(problems)) {
      expect([1, 2, 3]).toContain(exit);
      expect(status).toBeGreaterThanOrEqual(400);
    }
  });

  it("tells an error's code only where there is one", () => {
    expect(errorCode(Object.assign(new Error("x"), { code: "ENOENT" }))).toBe("ENOENT");
    for (const other of [new Error("x"), { code: 7 }, null, undefined, "ENOENT"])
      expect(errorCode(other)).toBeUndefined();
  });
});

describe("an id", () => {
  it("is a UUIDv7 of now", () => {
    const before = Date.now();
    const id = newId();
    expect(isId(id)).toBe(true);
    expect(id[14]).toBe("7");
    expect("89ab").toContain(id[19]);
    const time = Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(Date.now());
  });

  it("is unique", () => {
    expect(new Set(Array.from({ length: 10_000 }, () => newId())).size).toBe(10_000);
  });

  it.each(["", "x", newId().toUpperCase(), `${newId()} `, newId().slice(1)])("is not %j", (text) => {
    expect(isId(text)).toBe(false);
  });
});
