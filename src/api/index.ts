/** The API: REST over HTTP, thin over `operations`. */
export { fitsSocket } from "./local-socket.ts";
export { type Api, type ApiOptions, startApi } from "./server.ts";
