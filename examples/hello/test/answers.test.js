import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { createGreeter } from "../src/server.js";

test("answers with a greeting in the asked language", async () => {
  const server = createGreeter().listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const url = `http://127.0.0.1:${server.address().port}/?name=Ada`;
    const answer = await fetch(url, { headers: { "accept-language": "es" } });
    assert.equal(answer.headers.get("content-language"), "es");
    assert.equal(await answer.text(), "Hola, Ada!\n");
  } finally {
    server.close();
  }
});
