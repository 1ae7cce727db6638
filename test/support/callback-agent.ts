/**
 * An executor that knows nothing of the server but its callbacks: it finds its orders in a directory, where the program
 * that the server calls puts them, and carries them out here, over HTTP alone.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { ClaimedExecution, Heartbeat, Reported, UploadedArtifact } from "../../src/services/index.ts";

interface Order {
  readonly url: string;
  readonly token: string;
  readonly execution_id: string;
  readonly job: { readonly id: string };
  readonly step: string;
}

export interface Words {
  /** Steps by name that are claimed, begun, and of which nothing more is said. */
  readonly silent: Set<string>;
  /** Steps whose outputs are not uploaded, and which are reported as a success all the same. */
  readonly careless: Set<string>;
}

export class CallbackAgent implements AsyncDisposable {
  readonly words: Words = { silent: new Set(), careless: new Set() };
  /** `what execution step`, in order. */
  readonly heard: string[] = [];
  readonly #directory: string;
  readonly #seen = new Set<string>();
  readonly #work = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  #over = false;

  constructor(home: string) {
    this.#directory = mkdtempSync(join(home, "agent-"));
    mkdirSync(join(this.#directory, "orders"));
    writeFileSync(
      join(this.#directory, "launch"),
      `#!/bin/sh\nset -e\ncd ${this.#directory}\nif [ -e hold ]; then : > held; while [ -e hold ]; do sleep 0.02; done; exit 1; fi\nd=${this.#directory}/orders\nt=$(mktemp "$d/.new-XXXXXX")\ncat > "$t"\nmv "$t" "$d/$1-\${t##*-}"\n`,
      { mode: 0o755 },
    );
    this.#timer = setInterval(() => this.#look(), 20);
  }

  /** For `remote.launch`. */
  get program(): string {
    return join(this.#directory, "launch");
  }

  /** The program starts nothing and does not end, until `letGo` makes it fail. */
  hold(): void {
    writeFileSync(join(this.#directory, "hold"), "");
  }

  /** The program is under way and held. */
  get isHeld(): boolean {
    return existsSync(join(this.#directory, "held"));
  }

  letGo(): void {
    rmSync(join(this.#directory, "hold"), { force: true });
  }

  #look(): void {
    const orders = join(this.#directory, "orders");
    for (const name of readdirSync(orders)) {
      if (name.startsWith(".") || this.#seen.has(name)) continue;
      this.#seen.add(name);
      const order: Order = JSON.parse(readFileSync(join(orders, name), "utf8"));
      if (name.startsWith("release-")) {
        this.heard.push(`release ${order.job.id}`);
        rmSync(join(this.#directory, order.job.id), { recursive: true, force: true });
        continue;
      }
      const work = this.#carryOut(order).catch((error: unknown) => {
        this.heard.push(`error ${order.step} ${String(error)}`);
      });
      this.#work.add(work);
      void work.finally(() => this.#work.delete(work));
    }
  }

  async #carryOut(order: Order): Promise<void> {
    const ask = this.#asker(order);
    const claim = await json<ClaimedExecution>(ask("POST", "claim"));
    const workspace = join(this.#directory, order.job.id, "workspace");
    const artifacts = join(this.#directory, order.job.id, "artifacts");
    await prepare(claim, workspace, artifacts, ask);
    await ask("POST", "begin");
    this.heard.push(`begin ${order.step}`);
    if (this.words.silent.has(order.step)) return;
    const child = spawn("sh", ["-e", "-c", claim.command], {
      cwd: claim.source === null ? artifacts : workspace,
      env: {
        PATH: process.env.PATH,
        HOME: dirname(this.#directory),
        SHIPINATOR_ARTIFACTS_DIR: artifacts,
        ...claim.env,
        ...claim.secrets,
      },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let stopped = false;
    const beating = setInterval(() => {
      void ask("POST", "heartbeat")
        .then(async (answer) => {
          const { stop } = await json<Heartbeat>(answer);
          if (stop === null || stopped || child.pid === undefined) return;
          stopped = true;
          process.kill(-child.pid, "SIGTERM");
        })
        .catch(() => undefined);
    }, 100);
    const log = createHash("sha256");
    let size = 0;
    let shipping: Promise<unknown> = Promise.resolve();
    const ship = (bytes: Buffer) => {
      const offset = size;
      size += bytes.length;
      log.update(bytes);
      shipping = shipping.then(() => ask("PUT", `logs?offset=${offset}`, bytes));
    };
    child.stdout.on("data", ship);
    child.stderr.on("data", ship);
    const exit_code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    await shipping;
    const outputs = this.words.careless.has(order.step) ? [] : claim.outputs;
    const kept: UploadedArtifact[] = [];
    if (exit_code === 0)
      for (const { name, path } of outputs) {
        const bytes = readFileSync(join(workspace, path ?? ""));
        const digest = createHash("sha256").update(bytes).digest("base64");
        const headers = { "content-digest": `sha-256=:${digest}:` };
        kept.push(await json<UploadedArtifact>(ask("PUT", `artifacts/${name}?mode=493`, bytes, headers)));
      }
    clearInterval(beating);
    const report = {
      status: stopped ? "canceled" : exit_code === 0 ? "success" : "failed",
      exit_code,
      log_bytes: size,
      log_sha256: log.digest("hex"),
      artifacts: kept.map(({ id, sha256 }) => ({ id, sha256 })),
    };
    const answer = await json<Reported>(ask("POST", "status", report));
    this.heard.push(`${report.status} ${order.step} ${answer.acknowledged ? "acknowledged" : "open"}`);
  }

  /** While the server is away, it is asked again; what it refuses is not. */
  #asker({ url, token, execution_id }: Order) {
    return async (
      method: string,
      what: string,
      body?: Buffer | object,
      headers: Readonly<Record<string, string>> = {},
    ): Promise<Response> => {
      for (;;) {
        try {
          const bytes = Buffer.isBuffer(body);
          const answer = await fetch(`${url}/v1/executions/${execution_id}/${what}`, {
            method,
            headers: {
              authorization: `Bearer ${token}`,
              "executor-id": `agent-of-${execution_id}`,
              ...(body === undefined || bytes ? {} : { "content-type": "application/json" }),
              ...headers,
            },
            ...(body === undefined ? {} : { body: bytes ? new Uint8Array(body) : JSON.stringify(body) }),
          });
          if (answer.ok) return answer;
          if (answer.status < 500) throw new Refused(`${answer.status} ${await answer.text()}`);
        } catch (error) {
          if (error instanceof Refused || this.#over) throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    this.letGo();
    clearInterval(this.#timer);
    await Promise.all(this.#work);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

class Refused extends Error {}

async function json<T>(response: Response | Promise<Response>): Promise<T> {
  return JSON.parse(await (await response).text());
}

/** Steps of one job share a workspace; a deploy has its inputs alone. */
async function prepare(
  claim: ClaimedExecution,
  workspace: string,
  artifacts: string,
  ask: (method: string, what: string) => Promise<Response>,
): Promise<void> {
  if (readdirSync(dirname(dirname(workspace))).includes(claim.job.id)) return;
  mkdirSync(workspace, { recursive: true });
  mkdirSync(artifacts, { recursive: true });
  if (claim.source !== null) {
    const tar = Buffer.from(await (await ask("GET", "source")).arrayBuffer());
    const { status, stderr } = spawnSync("tar", ["-x", "-C", workspace], { input: tar });
    if (status !== 0) throw new Error(`tar: ${stderr.toString()}`);
  }
  for (const { name, path, mode, sha256 } of claim.inputs) {
    const bytes = Buffer.from(await (await ask("GET", `inputs/${name}`)).arrayBuffer());
    if (createHash("sha256").update(bytes).digest("hex") !== sha256) throw new Error(`${name} is another`);
    const file = claim.source === null ? join(artifacts, name) : join(workspace, path ?? "");
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
    chmodSync(file, mode ?? 0o644);
  }
}
