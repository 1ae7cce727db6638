/** The API: REST over HTTP, thin over `operations`. */
export { type Api, type ApiOptions, startApi } from "./server.ts";
