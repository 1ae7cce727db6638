/** The floor of `transfers`: a bare Fastify that streams one file. A process of its own, as the server is. */
import { createReadStream } from "node:fs";
import Fastify from "fastify";

const [file = ""] = process.argv.slice(2);
const app = Fastify();
app.get("/", (_request, reply) => reply.type("application/octet-stream").send(createReadStream(file)));
console.log(await app.listen({ host: "127.0.0.1", port: 0 }));
