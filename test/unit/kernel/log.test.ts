import { describe, expect, it } from "vitest";
import { createLogger, Problem } from "../../../src/kernel/index.ts";

describe("the log for a person", () => {
  const lineOf = (form: "plain" | "colored") => {
    const lines: string[] = [];
    const log = createLogger({
      level: "info",
      destination: { write: (line) => void lines.push(line) },
      form,
    });
    log.info({ pipeline_run_id: "0190", status: 200 }, "answered");
    return lines.join("");
  };

  it("is one line, with what it is about", () => {
    expect(lineOf("plain")).toMatch(
      /^\[\d\d:\d\d:\d\d\] INFO: answered \{"pipeline_run_id":"0190","status":200\}\n$/,
    );
  });

  it("does not drive the terminal with what somebody sent", () => {
    const lines: string[] = [];
    const log = createLogger({
      level: "info",
      destination: { write: (line) => void lines.push(line) },
      form: "plain",
    });
    log.info({ path: "/\x1b[2J\x9b1m", err: new Error("a\x1b]0;title\x07b") }, "sent \x1b[31m\u0085");
    expect(lines.join("").replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
  });

  it("is in colors where the terminal has them", () => {
    expect(lineOf("colored")).toContain("\x1b[");
    expect(lineOf("plain")).not.toContain("\x1b[");
  });
});

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
