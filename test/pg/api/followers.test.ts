/** Many who follow one long run: read once for all of them, in bounded pieces, and cheap where they do not read on. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newId, type RunId } from "../../../src/kernel/index.ts";
import { createStore } from "../../../src/store/index.ts";
import { type Service, startService } from "./service.ts";

const count = 6_000;
const followers = 250;

let service: Service;
let run: RunId;
let token: string;
beforeAll(async () => {
  service = await startService();
  const { local, fixture } = service.bench;
  ({ token } = await local.tokens.create({ name: "reader", scope: "read" }));
  run = (await fixture.store.runs.accept({ ...fixture.newRun, config: null }, () => [])).id;
  const { database } = fixture;
  const [{ seq } = { seq: 0 }] = await database.query<{ seq: number }>(
    "select seq from pipeline_runs where id = $1::uuid",
    [run],
  );
  await database.execute("alter table pipeline_runs disable trigger user");
  await database.execute(
    `insert into transitions (run_id, seq, entity, entity_id, from_state, to_state, cause, evidence, at)
     select $1::uuid, n, case when n < $4::integer then 'step' else 'run' end, $2::uuid, 'running', 'success', 'test',
       jsonb_build_object('text', repeat('x', 300)), now()
     from generate_series($3::integer + 1, $4::integer) n`,
    [run, newId(), seq, count],
  );
  await database.execute(
    `update pipeline_runs set seq = $2::integer, status = 'success', started_at = now(), finished_at = now() where id = $1::uuid`,
    [run, count],
  );
  await database.execute("alter table pipeline_runs enable trigger user");
});
afterAll(() => service[Symbol.asyncDispose]());

it("gives a follower every transition once, and the end", async () => {
  const answer = await service.ask("GET", `/v1/pipeline-runs/${run}/events`, {
    headers: { accept: "text/event-stream" },
  });
  const ids = [...answer.text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  expect(ids).toEqual(Array.from({ length: count }, (_, at) => at + 1));
  expect(answer.text.trimEnd().endsWith('data: {"status":"success"}')).toBe(true);
});

it("reads pieces of history for many followers together, bounded in bytes", async () => {
  const { database } = service.bench.fixture;
  let reads = 0;
  const { transitions } = createStore({
    ...database,
    query: (text, values, options) => {
      reads += 1;
      return database.query(text, values, options);
    },
  });
  const measured = new Map<number, number>();
  let pieces = 0;
  async function follow(): Promise<number> {
    let seq = 0;
    for (;;) {
      const { rows, end } = await transitions.page(run, seq);
      pieces += 1;
      if (!measured.has(seq)) measured.set(seq, JSON.stringify(rows).length);
      seq = rows.at(-1)?.seq ?? seq;
      if (end === "so_far") return seq;
    }
  }
  const ends = await Promise.all(Array.from({ length: followers }, follow));
  expect(new Set(ends)).toEqual(new Set([count]));
  // Followers that ask for the same piece at the same time share its reading.
  expect(reads).toBeLessThan(pieces / 10);
  expect(Math.max(...measured.values())).toBeLessThan(262_144);
});

it("keeps little for followers that do not read, and answers others meanwhile", async () => {
  const before = process.memoryUsage().rss;
  const { hostname, port } = new URL(service.api.url);
  const sockets: Socket[] = [];
  for (let at = 0; at < followers; at += 1) {
    const socket = connect({ host: hostname, port: Number(port) });
    sockets.push(socket);
    await once(socket, "connect");
    socket.pause();
    socket.write(
      `GET /v1/pipeline-runs/${run}/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\naccept: text/event-stream\r\n\r\n`,
    );
  }
  // All of them have begun: each is held by its own reader before others are answered.
  for (let asked = 0; asked < 20; asked += 1) {
    expect((await service.ask("GET", "/healthz", { token: null })).status).toBe(200);
    expect((await service.ask("GET", `/v1/pipeline-runs/${run}`)).status).toBe(200);
  }
  const grown = (process.memoryUsage().rss - before) / 2 ** 20;
  for (const socket of sockets) socket.destroy();
  expect(grown).toBeLessThan(200);
});
