/** An executor elsewhere that speaks to a real server, about a fresh execution in each test. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import type { ExecutionSpec } from "../../../src/domain/index.ts";
import type { HandedOut, Team } from "../operations-bench.ts";
import { type Answer, type Service, startService } from "./service.ts";

export interface Said {
  readonly by?: string | null;
  readonly of?: HandedOut;
  readonly body?: unknown;
  readonly raw?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
}

/** An output that the execution declares. */
export const app = { name: "app", type: "binary", path: "bin/app", ref: null, required: true } as const;

export const sha256 = (bytes: string | Uint8Array) => createHash("sha256").update(bytes).digest();

export const shown = ({ status, json }: Answer) => [status, json?.code ?? json];

/** To be called once by a test file, outside of its tests. */
export function createSpeaker() {
  let service: Service;
  let team: Team;
  let execution: HandedOut;
  beforeAll(async () => {
    service = await startService();
    team = await service.bench.team("ours");
  });
  afterAll(() => service[Symbol.asyncDispose]());
  beforeEach(async () => {
    execution = await speaker.handOut();
  });

  const speaker = {
    service: () => service,
    execution: () => execution,
    store: () => service.bench.fixture.store.reports,
    handOut: (more: Partial<ExecutionSpec> = {}) =>
      service.bench.handOut(team.run, { outputs: [app], ...more }),
    async say(
      what: string,
      { by = "pod-1", of = execution, method = "POST", headers = {}, ...sent }: Said = {},
    ) {
      const { id, token } = of;
      return await service.ask(method, `/v1/executions/${id}/${what}`, {
        token,
        headers: { ...(by === null ? {} : { "executor-id": by }), ...headers },
        ...sent,
      });
    },
    async claimAndBegin(): Promise<void> {
      expect((await speaker.say("claim")).status).toBe(200);
      expect((await speaker.say("begin")).status).toBe(200);
    },
    report: (body: object, more: Said = {}) => speaker.say("status", { body, ...more }),
    log: (offset: number, raw: string, more: Said = {}) =>
      speaker.say(`logs?offset=${offset}`, { method: "PUT", raw, ...more }),
    upload: (raw: string, more: Said = {}, name = "app") =>
      speaker.say(`artifacts/${name}`, {
        method: "PUT",
        raw,
        headers: { "content-digest": `sha-256=:${sha256(raw).toString("base64")}:` },
        ...more,
      }),
  };
  return speaker;
}
