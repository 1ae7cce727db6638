/** The API: REST over HTTP, thin over `operations`. */
export { fitsSocket } from "./http/local-socket.ts";
export { type Api, type ApiOptions, startApi } from "./server.ts";
