/** The address of a Postgres server and the login there. A `host` that begins with `/` is a directory with a socket. */
export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** `require` encrypts without a check of the server's identity; `verify-full` checks certificate and host name. */
  readonly sslMode: SslMode;
  /** PEM certificates to trust for `verify-full`, beside the system's. */
  readonly sslRootCertificate?: string;
}

export type SslMode = "disable" | "require" | "verify-full";
