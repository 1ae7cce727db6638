/** The floor of `transfers` and `uploads`: a bare Fastify that streams one file out, or in. A process of its own, as the server is. */
import { createReadStream, createWriteStream } from "node:fs";
import { rename } from "node:fs/promises";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import Fastify from "fastify";

const [file = ""] = process.argv.slice(2);
const app = Fastify({ bodyLimit: 2 ** 40 });
app.addContentTypeParser("application/octet-stream", (_request, body, done) => done(null, body));
app.get("/", (_request, reply) => reply.type("application/octet-stream").send(createReadStream(file)));
app.put<{ Body: Readable }>("/", async ({ body }) => {
  // As any store must: whole and on the disk before it is there.
  await pipeline(body, createWriteStream(`${file}.new`, { flush: true }));
  await rename(`${file}.new`, file);
  return {};
});
console.log(await app.listen({ host: "127.0.0.1", port: 0 }));
