/** Puts an artifact whose source never ends, and says when its first bytes lie in the store: to be killed. */
import { argv, stdout } from "node:process";
import { createArtifactStore } from "../../../../src/artifacts/index.ts";
import { brandId, silentLogger, systemClock } from "../../../../src/kernel/index.ts";

const [, , base = "", nodeId = "", id = ""] = argv;

async function* endless(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(5 << 20);
  stdout.write("writing\n");
  for (;;) yield new Uint8Array(1 << 20);
}

const store = createArtifactStore({
  base,
  nodeId: brandId(nodeId),
  instance: "killed",
  clock: systemClock,
  log: silentLogger,
  minFreeBytes: 0,
});
await store.put({
  id: brandId(id),
  name: "app",
  type: "binary",
  metadata: { form: "file", path: "app" },
  source: endless(),
});
