/**
 * The spawner process, from the server's side: started at the first request, again when it died, ended with the executor.
 * It leads a session of its own, so that a Ctrl-C at the terminal does not reach it or what it starts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { closeInherited, errorMessage, Problem } from "../../../kernel/index.ts";
import { shimScript, spawnerScript } from "./scripts.ts";

type Verb = "worker" | "shim" | "remove" | "own" | "vacate";
const answers = ["made", "started", "removed", "kept", "owned", "vacated"] as const;
type Answer = (typeof answers)[number];

const isAnswer = (word: string): word is Answer => answers.some((answer) => answer === word);

export interface Spawner extends AsyncDisposable {
  /**
   * @param account for `own` and `vacate`: UID:GID, for `own` with further options of `chown`
   * @throws Problem environment, executor_failed
   */
  request(verb: Verb, path: string, account?: string): Promise<Answer>;
}

export function createSpawner(environment: Readonly<Record<string, string>>): Spawner {
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
    const started = spawn("/bin/sh", ["-c", spawnerScript, "shipinator-spawner", shimScript], {
      cwd: "/",
      detached: true,
      env: { ...environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    gone = promise;
    started.on("error", (error) => {
      failAll(`The spawner that starts steps could not be started: ${errorMessage(error)}.`);
      resolve();
    });
    started.on("close", () => {
      if (child === started) failAll(`The spawner that starts steps has ended. ${complaint}`.trim());
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
    request(verb, path, account) {
      child ??= start();
      const answer = Promise.withResolvers<Answer>();
      waiting.set(path, answer);
      child.stdin?.write(account === undefined ? `${verb} ${path}\n` : `${verb} ${path}\n${account}\n`);
      return answer.promise;
    },
    async [Symbol.asyncDispose]() {
      child?.stdin?.end();
      await gone;
    },
  };
}
