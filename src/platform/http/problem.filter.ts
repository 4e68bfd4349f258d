import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Response } from 'express';
import { STATUS_CODES } from 'node:http';
import { DomainError, notFound } from '../../common/domain-error.js';
import { ThrottledLog } from '../../common/throttled-log.js';
import { contextOf } from './request-context.middleware.js';
import { invalid } from '../validation/payload.js';
import { toProblem } from './problem.js';

/** What body-parser means by the `type` of its errors. */
const BODY_FAULTS: Readonly<Record<string, string>> = {
  'charset.unsupported': 'the body must be in UTF-8',
  'encoding.unsupported': 'the body must be plain, or packed by gzip, deflate or br',
  'entity.parse.failed': 'the body must be a JSON object',
  'request.aborted': 'the body must arrive whole',
  'request.size.invalid': 'the body must be as long as Content-Length says',
};

/** Turns whatever a route throws into a problem body (RFC 9457, protocol section 6). Nothing of an unknown error is shown. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Http');
  private readonly overloads = new ThrottledLog((fields) =>
    this.logger.warn('a request was refused by an overload', fields),
  );

  constructor(private readonly translate: (error: unknown) => DomainError) {}

  catch(error: unknown, host: ArgumentsHost): void {
    this.respond(error, host.switchToHttp().getResponse<Response>());
  }

  /** For what no route of Nest's answers. */
  respond(error: unknown, response: Response): void {
    const fault = fromHttp(error) ?? this.translate(error);
    const { id: correlationId } = contextOf(response);
    if (fault.code === 'internal') this.logger.error('a request failed', { correlationId }, fault);
    if (fault.code === 'overloaded') this.overloads.add({ correlationId });
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const problem = toProblem(fault, correlationId);
    if (fault.retryAfterMs !== undefined)
      response.setHeader('Retry-After', Math.ceil(fault.retryAfterMs / 1000));
    response.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  }
}

/** What an error of Node, Express or body-parser tells of itself; of their sentences none is shown. */
interface HttpFault {
  status?: unknown;
  /** Of body-parser; what is wrong with packed bytes has only zlib's `code`. */
  type?: string;
  code?: string;
  /** How many bytes it may have been. */
  limit?: number;
}

/** Errors of Nest and of its body parser carry a status; what is below 500 is the client's fault. */
function fromHttp(error: unknown): DomainError | null {
  // Nest wraps what comes from below.
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
  if (fault.code?.startsWith('Z_')) return 'the body cannot be unpacked as Content-Encoding says';
  return BODY_FAULTS[fault.type ?? ''];
}
