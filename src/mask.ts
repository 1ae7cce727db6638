/**
 * The log writer of a step that is given secrets, a program of its own: from standard input to standard output, which is the
 * log, with the values masked; up to a cap, then it drains and counts.
 *
 *   node mask.ts VALUES CAP DRAINED
 *
 * VALUES is a file with the values as a JSON list; CAP a number of bytes; DRAINED a file that takes a line `N bytes` at
 * the end, and at SIGUSR1. Exit status: 0 all was stored, 3 the cap was reached, 4 the disk refused some.
 */
import { appendFileSync, readFileSync, writeSync } from "node:fs";
import { createMask, maskPatterns } from "./masking/index.ts";

process.title = "shipinator-log-writer";
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {});

const [valuesFile = "", capText = "0", drainedFile = ""] = process.argv.slice(2);
const values: readonly string[] = JSON.parse(readFileSync(valuesFile, "utf8"));
const mask = createMask(maskPatterns(values));
const cap = Number(capText);

let state: "whole" | "capped" | "torn" = "whole";
let stored = 0;
let dropped = 0;

function tell(): void {
  try {
    appendFileSync(drainedFile, `${dropped} bytes\n`);
  } catch {
    // The disk that refuses the log may refuse this as well; the exit status says what happened to the log.
  }
}

function store(bytes: Uint8Array): void {
  let rest = bytes.subarray(0, state === "whole" ? cap - stored : 0);
  dropped += bytes.length - rest.length;
  try {
    while (rest.length > 0) {
      const written = writeSync(1, rest);
      stored += written;
      rest = rest.subarray(written);
    }
  } catch {
    // A full disk, a quota: as with the cap, what cannot be stored is drained, so that the step goes on.
    state = "torn";
    dropped += rest.length;
    tell();
    return;
  }
  if (state !== "whole" || stored < cap) return;
  state = "capped";
  tell();
}

process.on("SIGUSR1", () => {
  // It is about to be ended, because somebody else holds the pipe: what was held back is no secret, or the half of one.
  store(mask.end());
  tell();
});
process.stdin.on("data", (chunk: Buffer) => store(mask.push(chunk)));
process.stdin.on("end", () => {
  store(mask.end());
  if (state !== "whole") tell();
  process.exit(state === "whole" ? 0 : state === "capped" ? 3 : 4);
});
