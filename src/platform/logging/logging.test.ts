import { Logger } from '@nestjs/common';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { DomainError } from '../../common/domain-error.js';
import { optionsOf } from './logging.js';
import { ServiceLogger } from './service-logger.js';

type Level = Parameters<typeof optionsOf>[0];
type Line = Record<string, unknown>;

function logAt(level: Level): Line[] {
  const lines: Line[] = [];
  const write = (text: string): void => void lines.push(JSON.parse(text) as Line);
  Logger.overrideLogger(new ServiceLogger(pino(optionsOf(level), { write })));
  return lines;
}

function sayAll(logger = new Logger('Test')): void {
  logger.fatal('fatal');
  logger.error('error');
  logger.warn('warn');
  logger.log('info');
  logger.debug('debug');
  logger.verbose('trace');
}

afterEach(() => Logger.overrideLogger(true));

test.each([
  ['fatal', 1],
  ['error', 2],
  ['warn', 3],
  ['info', 4],
  ['debug', 5],
  ['trace', 6],
  ['silent', 0],
] as const)('LOG_LEVEL=%s writes the levels down to it', (level, count) => {
  const lines = logAt(level);
  sayAll();
  const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'].slice(0, count);
  expect(lines.map((line) => line['level'])).toEqual(levels);
  expect(lines.map((line) => line['msg'])).toEqual(levels);
});

test('A line has its time in ISO form, its context, and the fields it was given', () => {
  const [line] = logOne((logger) => logger.log('done', { streamId: 's1' }));
  expect(line).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
    context: 'Test',
    streamId: 's1',
    msg: 'done',
  });
});

test('An error stands under err with its causes, and with nothing else that hangs on it (P11)', () => {
  const cause = Object.assign(new Error('duplicate key'), {
    code: '23505',
    parameters: ['a text that is nobody’s business'],
  });
  const [line] = logOne((logger) =>
    logger.error('it failed', new DomainError('internal', 'Something failed.', { cause })),
  );
  expect(line).toMatchObject({
    msg: 'it failed',
    err: { type: 'DomainError', code: 'internal', cause: { message: 'duplicate key', code: '23505' } },
  });
  expect(line?.['err']).toHaveProperty('stack', expect.stringContaining('logging.test'));
  expect(JSON.stringify(line)).not.toContain('business');
});

test('An error among the fields is written like an error alone, and not as an object (P11)', () => {
  const error = Object.assign(new Error('duplicate key'), {
    parameters: ['a text that is nobody’s business'],
  });
  const lines = logOne((logger) => logger.warn('failed to store', { id: 7, error, first: error }));
  expect(lines).toMatchObject([
    { msg: 'failed to store', id: 7, err: { type: 'Error' }, first: { message: 'duplicate key' } },
  ]);
  expect(lines[0]).not.toHaveProperty('error');
  expect(JSON.stringify(lines)).not.toContain('business');
  expect(logOne((logger) => logger.warn('failed', { error: 'thrown text' }))).toMatchObject([
    { err: { type: 'string', message: 'thrown text' } },
  ]);
});

test('An error alone is the message, too; a thrown text is no stack', () => {
  expect(logOne((logger) => logger.error(new Error('broken')))).toMatchObject([
    { msg: 'broken', err: { type: 'Error' } },
  ]);
});

test('What is named like a secret is not written, at the top and below (P11)', () => {
  const secrets = { authorization: 'x1', token: 'x2', ticket: 'x3', apiKey: 'x4', password: 'x5' };
  const lines = logOne((logger) => logger.log('in', { ...secrets, auth: secrets, a: { headers: secrets } }));
  expect(JSON.stringify(lines)).not.toMatch(/x[1-5]/);
  expect(lines).toMatchObject([{ token: '[redacted]', a: { headers: { authorization: '[redacted]' } } }]);
});

test('Nest’s messages about its own wiring are not logged at debug', () => {
  const lines = logAt('debug');
  new Logger('RouterExplorer').log('Mapped {/, GET}');
  expect(lines).toEqual([]);
});

function logOne(say: (logger: Logger) => void): Line[] {
  const lines = logAt('trace');
  say(new Logger('Test'));
  return lines;
}
