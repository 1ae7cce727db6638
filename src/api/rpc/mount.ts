/** RPC on the port of REST: its paths go to the handler, which is loaded with the first of them. */
import { Problem } from "../../kernel/index.ts";
import type { App } from "../rest/context.ts";
import type { RpcDeps, RpcHandler } from "./handler.ts";

/** `/package.Service/Method` */
const paths = ["/shipinator.v1.:service/:method", "/grpc.:service/:method"];
/** Bodies that may take long, as long as they keep coming. */
const uploads = new Set(["/shipinator.v1.ArtifactService/UploadArtifact"]);

export interface MountOptions extends RpcDeps {
  readonly liftDeadline: (request: object) => void;
}

export function mountRpc(app: App, options: MountOptions): void {
  let loading: Promise<RpcHandler> | undefined;
  const load = () => {
    loading ??= import("./handler.ts").then(({ createRpcHandler }) => createRpcHandler(options));
    return loading;
  };
  app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    // The handler reads the body itself.
    scope.addContentTypeParser("*", (_request, _payload, parsed) => parsed(null));
    for (const url of paths)
      scope.route({
        method: ["POST", "GET"],
        url,
        exposeHeadRoute: false,
        config: { access: "open" },
        schema: { hide: true },
        async handler(request, reply) {
          const { raw, id: requestId, ip } = request;
          if (raw.headers.host === undefined && raw.headers[":authority"] === undefined)
            throw new Problem("usage", "The request names no host.");
          const path = request.url.split("?", 1)[0] ?? "";
          const rpc = await load();
          if (!rpc.knows(path)) throw new Problem("not_found", `There is no method ${path}.`);
          if (uploads.has(path)) options.liftDeadline(raw);
          reply.hijack();
          reply.raw.setHeader("x-request-id", requestId);
          await rpc.handle(raw, reply.raw, { ip, requestId });
        },
      });
    done();
  });
}
