import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { createGreeter } from "../src/server.js";

test("knows one page only", async () => {
  const server = createGreeter().listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const root = `http://127.0.0.1:${server.address().port}`;
    assert.equal((await fetch(`${root}/admin`)).status, 404);
    assert.equal((await fetch(root, { method: "POST" })).status, 404);
  } finally {
    server.close();
  }
});
