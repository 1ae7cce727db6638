/** The bytes of an artifact out of a real server, verified on their way, against a bare stream of the same file. */
import { once } from "node:events";
import { Agent, request } from "node:http";
import { compare, type Outcome } from "./harness.ts";
import { startProgram, startServer } from "./server.ts";
import { temporaryDirectory } from "./workbench.ts";

const mebibytes = 256;

export async function benchTransfers(rounds: number): Promise<Outcome[]> {
  const directory = temporaryDirectory();
  await using server = await startServer(directory);
  const script = `head -c ${mebibytes << 20} /dev/urandom >large`;
  await server.register(
    "large",
    `build:\n  steps:\n    - { name: a, run: '${script}', outputs: [{ type: binary, path: large }] }\n`,
  );
  const { id } = await server.ask<{ id: string }>("POST", "/v1/pipelines/large/runs", {});
  await server.ended(id);
  const { artifacts } = await server.ask<{ artifacts: readonly { id: string; storage_path: string }[] }>(
    "GET",
    `/v1/pipeline-runs/${id}`,
  );
  const [artifact] = artifacts;
  if (artifact === undefined) throw new Error("the run made no artifact");
  await using floor = await startProgram("./transfer-floor.ts", [artifact.storage_path]);
  return [
    await compare({
      title: `${mebibytes} MiB out of the server`,
      rounds,
      contenders: [
        {
          name: "download",
          measure: () => drain(`${server.url}/v1/artifacts/${artifact.id}/download`, server.headers),
        },
        { name: "bare stream", measure: () => drain(floor.line, {}) },
      ],
      limits: [{ subject: "download", of: "bare stream", most: 1 / 0.9 }],
    }),
  ];
}

/** Milliseconds until the last byte. */
async function drain(url: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const agent = new Agent();
  const from = performance.now();
  const [response] = await once(request(url, { agent, headers }).end(), "response");
  let bytes = 0;
  for await (const chunk of response) bytes += chunk.length;
  agent.destroy();
  if (bytes !== mebibytes << 20) throw new Error(`${bytes} bytes of ${url}`);
  return performance.now() - from;
}
