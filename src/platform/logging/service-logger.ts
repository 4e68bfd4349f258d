import type { LoggerService } from '@nestjs/common';
import type { Level, Logger as Pino } from 'pino';

/** Contexts in which Nest logs its own wiring. At `info` they would hide more useful lines of the start. */
const WIRING = new Set([
  'InstanceLoader',
  'NestApplication',
  'WebSocketsController',
  'NestFactory',
  'RouterExplorer',
  'RoutesResolver',
]);

/**
 * Writes the lines of Nest's `Logger` with pino. After the message a call may pass an object, whose properties become fields of
 * the line. An error, passed by itself or as the property `error`, becomes the field `err`. Nest adds the context as the last text.
 */
export class ServiceLogger implements LoggerService {
  constructor(private readonly pino: Pino) {}

  log(message: unknown, ...rest: unknown[]): void {
    this.write(WIRING.has(String(rest.at(-1))) ? 'trace' : 'info', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  private write(level: Level, message: unknown, rest: readonly unknown[]): void {
    if (!this.pino.isLevelEnabled(level)) return;
    const texts = rest.filter((part) => typeof part === 'string');
    const context = texts.pop();
    const fields: Record<string, unknown> = { ...(context !== undefined && { context }) };
    for (const part of [message, ...rest]) {
      if (part instanceof Error) fields['err'] = part;
      else if (typeof part === 'object' && part !== null) Object.assign(fields, fieldsOf(part));
    }
    // Nest itself gives a stack as text.
    if (texts.length > 0) fields['err'] ??= { stack: texts.join('\n') };
    this.pino[level](fields, message instanceof Error ? message.message : textOf(message));
  }
}

/** An error must never be written as a plain object: the database driver keeps people's messages on its errors. */
function fieldsOf(given: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(given).map(([key, value]: [string, unknown]) =>
      key === 'error' ? ['err', value] : [key, value instanceof Error ? describeError(value) : value],
    ),
  );
}

function textOf(message: unknown): string {
  return typeof message === 'string' ? message : '';
}

/** An error in its logged form. */
interface LoggedError {
  type: string;
  message: string;
  code?: string;
  stack?: string;
  cause?: LoggedError;
}

const MAX_CAUSES = 5;

/**
 * Returns the logged form of `error`: its type, message, code, stack and causes, and no other property. The database
 * driver keeps the parameters of the statement on its errors, and these contain users' messages.
 */
export function describeError(error: unknown, causes = MAX_CAUSES): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: describeValue(error) };
  const { name, message, stack, cause } = error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return {
    type: name,
    message,
    ...(code !== undefined && { code }),
    ...(stack !== undefined && { stack }),
    ...(cause !== undefined && causes > 0 && { cause: describeError(cause, causes - 1) }),
  };
}

function describeValue(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
}
