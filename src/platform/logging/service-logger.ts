import type { LoggerService } from '@nestjs/common';
import type { Level, Logger as Pino } from 'pino';

/** What Nest says of its own wiring: it hides what a person wants to know at the start. */
const WIRING = new Set([
  'InstanceLoader',
  'NestApplication',
  'WebSocketsController',
  'NestFactory',
  'RouterExplorer',
  'RoutesResolver',
]);

/**
 * Nest's `Logger`, written by pino. Behind its message a call may give an error, which becomes `err`, and an object, whose
 * properties become fields of the line; Nest adds the context as the last text.
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
      else if (typeof part === 'object') Object.assign(fields, part);
    }
    // Nest itself gives a stack as text.
    if (texts.length > 0) fields['err'] ??= { stack: texts.join('\n') };
    this.pino[level](fields, message instanceof Error ? message.message : textOf(message));
  }
}

function textOf(message: unknown): string {
  return typeof message === 'string' ? message : '';
}
