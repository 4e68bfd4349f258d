import { Logger, type LoggerService } from '@nestjs/common';
import { isatty } from 'node:tty';
import { pino, stdTimeFunctions, type DestinationStream, type LoggerOptions } from 'pino';
import { currentContext, enableContextTracking } from '../tracing/request-context.js';
import type { Config } from '../config/config.js';
import { describeError, ServiceLogger } from './service-logger.js';

const STDOUT = 1;
/** Levels at which every line contains its request context, also deep inside the code. */
const DETAILED = new Set(['debug', 'trace']);
/** A second safeguard: no line should contain any of these. */
const SECRETS = ['authorization', 'token', 'ticket', 'apiKey', 'password'];

/** The log of the process. */
export interface Logging {
  /** Every Nest `Logger` writes to it from now on. */
  readonly logger: LoggerService;
  /** Adds the node id to every line from now on. */
  identify(nodeId: string): void;
  /**
   * Writes `lines` for the person who started the process, whatever LOG_LEVEL is. In production it is one line of JSON
   * with `fields`.
   */
  announce(lines: readonly string[], fields: object): void;
}

/**
 * Starts the log: JSON lines in production, else readable lines. Each line is written synchronously, so that no end of
 * the process loses one, not even `kill -9`.
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

/** Options for the content of every line. Exported for its test. */
export function optionsOf(level: Config['LOG_LEVEL']): LoggerOptions {
  return {
    level,
    base: null,
    mixin: () => {
      const context = currentContext();
      return context ? { correlationId: context.id } : {};
    },
    // The line's own fields win.
    mixinMergeStrategy: (line, known) => ({ ...known, ...line }),
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: describeError },
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
  };
}

/** Output for people. Production does not need the library. */
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
