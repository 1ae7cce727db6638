/** The one place that reads the process: what the command line needs of it is handed on as parameters. */
import { readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { createFiles, createProgram, createStyle, createWriter, readUpTo } from "./cli/index.ts";
import { type LogForm, limitNewSpace, systemClock } from "./kernel/index.ts";

const signals = ["SIGINT", "SIGTERM"] as const;
const environment = process.env;
const cwd = process.cwd();
const stderr = createWriter(process.stderr);

/** An account without a passwd entry has a number only. */
function login(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown");
  }
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest
    ? String(manifest.version)
    : "unknown";
}

function logForm(): LogForm {
  if (!stderr.isTTY) return "json";
  return createStyle(stderr, environment).color ? "colored" : "plain";
}

const host = {
  pid: process.pid,
  platform: process.platform,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  node: process.execPath,
  kill: (pid: number, signal: NodeJS.Signals | 0) => process.kill(pid, signal),
  writeLog: (line: string) => stderr.write(line),
  // As a person sees it; whatever reads it from a pipe or a file gets JSON.
  logForm: logForm(),
};
const home = environment.HOME ?? homedir();
const version = readVersion();

const program = createProgram({
  argv: process.argv.slice(2),
  environment,
  cwd,
  stdout: createWriter(process.stdout),
  stderr,
  readStdin: (limit) => readUpTo(process.stdin, limit),
  stdin: () => process.stdin,
  files: createFiles(cwd),
  clock: systemClock,
  login,
  version,
  async openClient({ mode, configFile }) {
    const { openApp } = await import("./app/command.ts");
    const app = await openApp({ environment, cwd, home, login, configFile, mode, host });
    return { client: app.client, dataDir: app.dataDir, location: "local", close: () => app.close() };
  },
  async findServer({ configFile }) {
    const { findServer } = await import("./app/discovery.ts");
    return await findServer({ environment, cwd, home, configFile, uid: host.uid, kill: host.kill });
  },
  async startServer({ configFile }) {
    limitNewSpace();
    const { startServer } = await import("./app/serve.ts");
    return await startServer({ environment, cwd, home, login, configFile, host, version });
  },
  async openBackup({ configFile, signal }) {
    const { openBackup } = await import("./app/backups.ts");
    return await openBackup({ environment, cwd, home, configFile, host, version }, signal);
  },
  async restoreBackup({ configFile, bytes, signal }) {
    const { restoreBackup } = await import("./app/backups.ts");
    return await restoreBackup({ environment, cwd, home, configFile, host, version }, bytes, signal);
  },
  onInterrupt(handler) {
    for (const signal of signals) process.on(signal, handler);
    return () => {
      for (const signal of signals) process.off(signal, handler);
    };
  },
});

process.on("uncaughtException", (error) => process.exit(program.crash(error)));
const code = await program.run();
// What the command left behind (a person insisted on leaving) must not keep the process.
process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
