/** A server that opens a job and submits its steps, says so, and waits to be killed. Arguments: directory, job, specs. */
import { createLocalExecutor } from "../../../src/executor/index.ts";
import { optionsIn } from "./world.ts";

const [directory = "", job = "", specs = "[]"] = process.argv.slice(2);
const executor = createLocalExecutor(optionsIn(directory));
await executor.open(JSON.parse(job));
for (const spec of JSON.parse(specs)) await executor.submit(spec);
process.stdout.write("submitted\n");
setInterval(() => undefined, 1_000);
