/**
 * The helper process, from the server's side: started at the first request, again when it died, ended with the executor.
 * It leads a session of its own, so that a Ctrl-C at the terminal does not reach it or what it starts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { errorMessage, Problem } from "../../kernel/index.ts";
import { closeInherited } from "./machine.ts";
import type { StepAccount } from "./options.ts";
import { helperScript, shimScript } from "./scripts.ts";

type Verb = "lane" | "shim" | "remove" | "own";
const answers = ["made", "started", "removed", "kept", "owned"] as const;
type Answer = (typeof answers)[number];

const isAnswer = (word: string): word is Answer => answers.some((answer) => answer === word);

export interface Helper extends AsyncDisposable {
  /** @throws Problem environment, executor_failed */
  request(verb: Verb, path: string): Promise<Answer>;
}

/** @param owner whom `own` gives trees to */
export function createHelper(
  environment: Readonly<Record<string, string>>,
  owner?: Pick<StepAccount, "uid" | "gid">,
): Helper {
  const waiting = new Map<string, PromiseWithResolvers<Answer>>();
  let child: ChildProcess | undefined;
  let gone: Promise<void> = Promise.resolve();
  let complaint = "";

  function failAll(why: string): void {
    child = undefined;
    for (const answer of waiting.values()) answer.reject(new Problem("executor_failed", why));
    waiting.clear();
  }

  function start(): ChildProcess {
    closeInherited();
    const account = owner === undefined ? "" : `${owner.uid}:${owner.gid}`;
    const started = spawn("/bin/sh", ["-c", helperScript, "shipinator-helper", shimScript, account], {
      cwd: "/",
      detached: true,
      env: { ...environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    gone = promise;
    started.on("error", (error) => {
      failAll(`the helper that starts steps could not be started: ${errorMessage(error)}`);
      resolve();
    });
    started.on("close", () => {
      if (child === started) failAll(`the helper that starts steps has ended. ${complaint}`.trim());
      resolve();
    });
    started.stdin.on("error", () => started.kill("SIGKILL")); // EPIPE; "close" says the rest
    started.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = text.trim().slice(-400);
    });
    createInterface({ input: started.stdout }).on("line", (line) => {
      const space = line.indexOf(" ");
      const path = line.slice(space + 1);
      const word = line.slice(0, space);
      const answer = waiting.get(path);
      waiting.delete(path);
      if (isAnswer(word)) answer?.resolve(word);
      else
        answer?.reject(new Problem("executor_failed", `steps cannot be given ${path}. ${complaint}`.trim()));
    });
    return started;
  }

  return {
    request(verb, path) {
      child ??= start();
      const answer = Promise.withResolvers<Answer>();
      waiting.set(path, answer);
      child.stdin?.write(`${verb} ${path}\n`);
      return answer.promise;
    },
    async [Symbol.asyncDispose]() {
      child?.stdin?.end();
      await gone;
    },
  };
}
