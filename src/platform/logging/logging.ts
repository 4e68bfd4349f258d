import { Logger, type LoggerService } from '@nestjs/common';
import { isatty } from 'node:tty';
import { pino, stdTimeFunctions, type DestinationStream, type LoggerOptions } from 'pino';
import { currentContext, enableContextTracking } from '../tracing/request-context.js';
import type { Config } from '../config/config.js';
import { describeError, ServiceLogger } from './service-logger.js';

const STDOUT = 1;
/** Levels at which every line knows for what it was written, also far below the event or request. */
const DETAILED = new Set(['debug', 'trace']);
/** A second net: no line is meant to have any of these. */
const SECRETS = ['authorization', 'token', 'ticket', 'apiKey', 'password'];

/** Where the process writes what it does. */
export interface Logging {
  /** Behind every Nest `Logger` from now on. */
  readonly logger: LoggerService;
  /** From now on every line says that it is of node `nodeId`. */
  identify(nodeId: string): void;
  /** Writes `lines` for the person who started the process, whatever LOG_LEVEL is; in production as one line of JSON with `fields`. */
  announce(lines: readonly string[], fields: object): void;
}

/**
 * Lines of JSON in production, else lines for people. Each is written when it is said: no end of the process, `kill -9`
 * included, loses any.
 */
export async function startLogging(config: Pick<Config, 'NODE_ENV' | 'LOG_LEVEL'>): Promise<Logging> {
  const inProduction = config.NODE_ENV === 'production';
  const output = inProduction ? pino.destination({ dest: STDOUT, sync: true }) : await prettyOutput();
  if (DETAILED.has(config.LOG_LEVEL)) enableContextTracking();
  const log = pino(optionsOf(config.LOG_LEVEL), output);
  const logger = new ServiceLogger(log);
  Logger.overrideLogger(logger);
  return {
    logger,
    identify: (nodeId) => log.setBindings({ nodeId }),
    announce: (lines, fields) => {
      if (inProduction) log.child({}, { level: 'info' }).info({ context: 'Start', ...fields }, lines[0]);
      else process.stdout.write(`${lines.join('\n')}\n`);
    },
  };
}

/** What every line has and has not. Exported for its test. */
export function optionsOf(level: Config['LOG_LEVEL']): LoggerOptions {
  return {
    level,
    base: null,
    mixin: () => {
      const context = currentContext();
      return context ? { correlationId: context.id } : {};
    },
    // What a line says itself counts.
    mixinMergeStrategy: (line, known) => ({ ...known, ...line }),
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: describeError },
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
  };
}

/** For people; production does without the library. */
async function prettyOutput(): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty');
  return pretty({
    sync: true,
    colorize: isatty(STDOUT),
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'nodeId,context',
    messageFormat: '{if context}[{context}] {end}{msg}',
  });
}
