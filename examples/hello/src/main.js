import { writeFileSync } from "node:fs";
import { createGreeter } from "./server.js";

const [command, ...rest] = process.argv.slice(2);
if (command === "serve") {
  // serve [PORT-FILE]: listens on a free port of this machine and writes down which.
  const server = createGreeter().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    console.log(`listening on http://127.0.0.1:${port}`);
    if (rest[0] !== undefined) writeFileSync(rest[0], `${port}\n`);
  });
  process.on("SIGTERM", () => server.close());
} else if (command === "ask") {
  // ask PORT NAME: asks a running server and prints its answer.
  const [port, name = ""] = rest;
  const answer = await fetch(`http://127.0.0.1:${port}/?name=${encodeURIComponent(name)}`);
  process.stdout.write(await answer.text());
  process.exitCode = answer.ok ? 0 : 1;
} else {
  console.error("usage: hello serve [PORT-FILE] | hello ask PORT NAME");
  process.exitCode = 2;
}
