/** The log that the code of this folder writes to; a pino logger and the console both fit. */
export interface DatabaseLog {
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}
