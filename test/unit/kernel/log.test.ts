import { describe, expect, it } from "vitest";
import { createLogger, Problem } from "../../../src/kernel/index.ts";

describe("an error in the log", () => {
  it("is what it says and its code, and nothing that hangs on it", () => {
    const lines: string[] = [];
    const log = createLogger({ level: "info", destination: { write: (line) => void lines.push(line) } });
    const error = Object.assign(new Error("it broke", { cause: new Problem("internal", "deeper") }), {
      code: "57P01",
      client: { password: "hunter2", settings: { token: "hunter2" } },
    });
    log.error({ err: error }, "failed");
    log.error({ err: "no error at all" }, "failed");
    const [first, second] = lines.map((line) => JSON.parse(line));
    expect(first.err).toMatchObject({ message: "it broke", code: "57P01", cause: { message: "deeper" } });
    expect(second.err).toEqual({ message: "no error at all" });
    expect(lines.join("")).not.toContain("hunter2");
  });
});
