/** Which methods a path has, for the answer to another one. */
import type { FastifyInstance } from "fastify";

/** To be called before the routes are added. @returns the methods of a path without its query, none for no route's */
export function collectMethods(app: FastifyInstance): (path: string) => readonly string[] {
  const routes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];
  app.addHook("onRoute", ({ url, method }) => {
    // Names in our paths are letters, digits and dashes; a parameter is one segment.
    const pattern = new RegExp(`^${url.replaceAll(".", "\\.").replace(/:[^/]+/g, "[^/]+")}$`);
    routes.push({ pattern, methods: [method].flat() });
  });
  return (path) => {
    const found = routes.filter(({ pattern }) => pattern.test(path));
    return [...new Set(found.flatMap(({ methods }) => methods))].sort();
  };
}
