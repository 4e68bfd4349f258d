import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { STATUS_CODES } from 'node:http';
import { DomainError, notFound } from '../../common/domain-error.js';
import { ThrottledLog } from '../../common/throttled-log.js';
import { contextOf } from './request-context.middleware.js';
import { invalid } from '../validation/payload.js';
import { toProblem } from './problem.js';

/** Meanings of the `type` of body-parser's errors. */
const BODY_FAULTS: Readonly<Record<string, string>> = {
  'charset.unsupported': 'the body must be in UTF-8',
  'encoding.unsupported': 'the body must be uncompressed, or compressed with gzip, deflate or br',
  'entity.parse.failed': 'the body must be a JSON object',
  'request.aborted': 'the body must be complete',
  'request.size.invalid': 'the body must be as long as Content-Length says',
};

/** The route that an EventSource reads. It gives up for good at an error status, but not at a lost connection. */
const EVENT_SOURCE = /^\/api\/ws\/stream\/[^/]+\/sse$/;

/** Turns every error of a route into a problem body (RFC 9457, protocol section 6). Unknown errors are not shown. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Http');
  private readonly overloads = new ThrottledLog((fields) =>
    this.logger.warn('request refused because of overload', fields),
  );
  private readonly timeouts = new ThrottledLog((fields) =>
    this.logger.warn('request failed with timeout', fields),
  );

  /** `causeOf` says for the log why something failed with `timeout`. */
  constructor(
    private readonly translate: (error: unknown) => DomainError,
    private readonly causeOf: (fault: DomainError) => string | undefined,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    this.respond(error, host.switchToHttp().getResponse<Response>());
  }

  /** Responds to requests that reach no route of Nest. */
  respond(error: unknown, response: Response): void {
    const fault = fromHttp(error) ?? this.translate(error);
    const { id: correlationId } = contextOf(response);
    if (fault.code === 'internal') this.logger.error('request failed', { correlationId }, fault);
    if (fault.code === 'overloaded') this.overloads.add({ correlationId });
    if (fault.code === 'timeout') this.timeouts.add({ correlationId, cause: this.causeOf(fault) });
    if (response.headersSent || (fault.retryable && isEventSource(response.req))) {
      response.destroy();
      return;
    }
    const problem = toProblem(fault, correlationId);
    if (fault.retryAfterMs !== undefined)
      response.setHeader('Retry-After', Math.ceil(fault.retryAfterMs / 1000));
    response.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  }
}

function isEventSource({ method, path }: Request): boolean {
  return method === 'GET' && EVENT_SOURCE.test(path);
}

/** Properties of errors of Node, Express and body-parser. Their messages are never shown. */
interface HttpFault {
  status?: unknown;
  /** Set by body-parser. For wrong compressed data there is only zlib's `code`. */
  type?: string;
  code?: string;
  /** The limit in bytes that was exceeded. */
  limit?: number;
}

/** Errors of Nest and of its body parser have a status. Below 500 the client is at fault. */
function fromHttp(error: unknown): DomainError | null {
  // Nest wraps errors of Express.
  const fault = (error instanceof HttpException ? (error.cause ?? error) : error) as HttpFault | null;
  const status = error instanceof HttpException ? error.getStatus() : fault?.status;
  if (!fault || typeof status !== 'number' || status >= 500) return null;
  if (status === 404 || status === 405) return notFound();
  if (status === 413) return tooLarge(fault);
  return invalid([whatIsWrong(fault) ?? `the request cannot be met (${STATUS_CODES[status]})`]);
}

function tooLarge({ limit }: HttpFault): DomainError {
  return new DomainError('payload_too_large', `The body may have at most ${limit} bytes.`);
}

function whatIsWrong(fault: HttpFault): string | undefined {
  if (fault instanceof URIError) return 'the path must be percent-encoded UTF-8';
  if (fault.code?.startsWith('Z_')) return 'the body cannot be decompressed as Content-Encoding says';
  return BODY_FAULTS[fault.type ?? ''];
}
