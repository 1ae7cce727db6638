/** Server reflection: clients that have no `.proto` ask what there is. */
import { create, type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "./generated/reflection.ts";

type Answer = ServerReflectionResponse["messageResponse"];

/** gRPC's number for NOT_FOUND. */
const notFound = 5;

export function reflectionService(services: readonly DescService[]): ServiceImpl<typeof ServerReflection> {
  const files = new Map<string, DescFile>();
  const symbols = new Map<string, DescFile>();
  for (const { file } of services) add(file);

  function add(file: DescFile): void {
    if (files.has(nameOf(file))) return;
    files.set(nameOf(file), file);
    for (const dependency of file.dependencies) add(dependency);
    for (const kind of [file.messages, file.enums, file.services] as const)
      for (const one of kind) symbols.set(one.typeName, file);
    for (const { typeName, methods } of file.services)
      for (const { name } of methods) symbols.set(`${typeName}.${name}`, file);
  }

  /** A nested message lies in the file of the one around it. */
  function fileOf(symbol: string): DescFile | undefined {
    for (let name = symbol; name !== ""; name = name.slice(0, Math.max(0, name.lastIndexOf(".")))) {
      const found = symbols.get(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  function answer({ messageRequest: asked }: ServerReflectionRequest): Answer {
    switch (asked.case) {
      case "listServices":
        return listed(services);
      case "fileByFilename":
        return described(files.get(asked.value), asked.value);
      case "fileContainingSymbol":
        return described(fileOf(asked.value), asked.value);
      case "fileContainingExtension":
        return missing(`${asked.value.containingType} has no extensions`);
      case "allExtensionNumbersOfType":
        return missing(`${asked.value} has no extensions`);
      default:
        return missing("nothing was asked");
    }
  }

  return {
    async *serverReflectionInfo(requests) {
      for await (const request of requests)
        yield create(ServerReflectionResponseSchema, {
          validHost: request.host,
          originalRequest: request,
          messageResponse: answer(request),
        });
    },
  };
}

const nameOf = (file: DescFile): string => `${file.name}.proto`;

function listed(services: readonly DescService[]): Answer {
  const service = services.map(({ typeName: name }) => ({ name }));
  return create(ServerReflectionResponseSchema, {
    messageResponse: { case: "listServicesResponse", value: { service } },
  }).messageResponse;
}

/** A file, and all that it stands on. */
function described(file: DescFile | undefined, asked: string): Answer {
  if (file === undefined) return missing(`there is no ${asked}`);
  const all = new Set<DescFile>();
  const collect = (one: DescFile) => {
    if (all.has(one)) return;
    all.add(one);
    for (const dependency of one.dependencies) collect(dependency);
  };
  collect(file);
  const fileDescriptorProto = [...all].map((one) => toBinary(FileDescriptorProtoSchema, one.proto));
  return create(ServerReflectionResponseSchema, {
    messageResponse: { case: "fileDescriptorResponse", value: { fileDescriptorProto } },
  }).messageResponse;
}

function missing(errorMessage: string): Answer {
  return create(ServerReflectionResponseSchema, {
    messageResponse: { case: "errorResponse", value: { errorCode: notFound, errorMessage } },
  }).messageResponse;
}
