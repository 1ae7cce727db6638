/** Runs of a pipeline without end, so many at a time: a process of its own, so that what measures beside it is not late itself. */
const [url = "", token = "", pipeline = "", atOnce = "1"] = process.argv.slice(2);
const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };

async function run(): Promise<void> {
  const accepted = await fetch(`${url}/v1/pipelines/${pipeline}/runs`, {
    method: "POST",
    headers,
    body: "{}",
  });
  if (!accepted.ok) throw new Error(`${accepted.status}: ${await accepted.text()}`);
  const { id }: { id: string } = JSON.parse(await accepted.text());
  const events = { headers: { ...headers, accept: "text/event-stream" } };
  await (await fetch(`${url}/v1/pipeline-runs/${id}/events`, events)).text();
}

console.log("begun");
await Promise.all(
  Array.from({ length: Number(atOnce) }, async () => {
    for (;;) await run();
  }),
);
