import { createServer } from "node:http";
import { greet, preferred } from "./greeting.js";

/** Answers GET /?name=… with a greeting, and nothing else. */
export function createGreeter() {
  return createServer((request, response) => {
    const url = new URL(request.url, "http://localhost");
    if (request.method !== "GET" || url.pathname !== "/") {
      response.writeHead(404).end("not found\n");
      return;
    }
    const language = preferred(request.headers["accept-language"]);
    response.writeHead(200, { "content-type": "text/plain; charset=utf-8", "content-language": language });
    response.end(`${greet(url.searchParams.get("name") ?? "", language)}\n`);
  });
}
