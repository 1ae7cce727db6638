/** Where a Postgres server listens and who we are there. `host` that begins with `/` is a directory with a socket. */
export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** `require` encrypts without proof of who answers; `verify-full` also checks certificate and host name. */
  readonly sslMode: SslMode;
  /** PEM certificates to trust for `verify-full`, beside the system's. */
  readonly sslRootCertificate?: string;
}

export type SslMode = "disable" | "require" | "verify-full";
