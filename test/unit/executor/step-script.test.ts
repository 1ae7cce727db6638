import { describe, expect, it } from "vitest";
import {
  environmentFault,
  parseStepFile,
  stepScriptText,
} from "../../../src/executor/local/worker/step-script.ts";

const record = { executionId: "e", worker: "0", timeoutSeconds: 5, graceSeconds: 1, logFile: "/l'og" };
const text = (environment: Record<string, string> = {}) =>
  stepScriptText({
    record,
    directory: "/w",
    environment,
    shell: ["/bin/sh", "-e", "-c", "echo '1'"],
    logCapBytes: 9,
    writer: [],
    account: null,
  });

describe("a step's file", () => {
  it("gives back its record and nothing else before anything was appended", () => {
    expect(parseStepFile(text())).toEqual({ record, exit: null, log: null });
  });

  it("gives what was appended, in either order", () => {
    expect(parseStepFile(`${text()}#exit 0\n#log whole\n`)).toEqual({ record, exit: "0", log: "whole" });
    expect(parseStepFile(`${text()}#log cut\n#exit 137\n`)).toEqual({ record, exit: "137", log: "cut" });
  });

  it("takes a line without its end as absent", () => {
    expect(parseStepFile(`${text()}#exit 1`)).toMatchObject({ exit: null });
  });

  it("is not fooled by values that look like results", () => {
    expect(parseStepFile(text({ A: "\n#end\n#exit 0\n#log whole\n" }))).toEqual({
      record,
      exit: null,
      log: null,
    });
  });

  it("has no record while it is half written, and only results when it was removed meanwhile", () => {
    expect(parseStepFile(text().slice(0, -3))).toEqual({ record: null, exit: null, log: null });
    expect(parseStepFile("")).toEqual({ record: null, exit: null, log: null });
    expect(parseStepFile("#exit 3\n#log whole\n")).toEqual({ record: null, exit: "3", log: "whole" });
  });
});

describe("limits", () => {
  it("allows a variable up to the kernel's limit, and not a byte more", () => {
    const name = "V";
    expect(environmentFault({ [name]: "x".repeat(131_071 - 2) }, 0, "posix")).toBeNull();
    expect(environmentFault({ [name]: "x".repeat(131_071 - 1) }, 0, "posix")).toMatch(/128 KiB/);
    expect(environmentFault({ [name]: "é".repeat(70_000) }, 0, "posix")).toMatch(/140000 bytes/);
  });

  it("refuses what the shell keeps for itself, of bash only where it is the system's", () => {
    for (const sh of ["posix", "bash"] as const)
      expect(environmentFault({ PPID: "1" }, 0, sh)).toMatch(/PPID belongs to the shell/);
    expect(environmentFault({ UID: "1000" }, 0, "posix")).toBeNull();
    for (const name of ["UID", "EUID", "BASHOPTS", "BASH_VERSINFO", "SHELLOPTS"])
      expect(environmentFault({ [name]: "1" }, 0, "bash")).toMatch(`${name} belongs to the shell`);
  });

  it("counts what the server hands on", () => {
    expect(environmentFault({ A: "b" }, 1_900_000, "posix")).toMatch(/in all/);
  });
});
