import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Response } from 'express';
import type { ErrorCode } from '../protocol/index.js';
import { DomainError } from './domain-error.js';
import { workOf } from './http-work.js';
import { toProblem } from './problem.js';

const CODE_OF_STATUS = new Map<number, ErrorCode>([
  [401, 'unauthenticated'],
  [403, 'forbidden'],
  [404, 'not_found'],
  [405, 'not_found'],
  [413, 'payload_too_large'],
]);

/** Turns whatever a route throws into a problem body (RFC 9457, protocol section 6). Nothing of an unknown error is shown. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Http');

  constructor(private readonly translate: (error: unknown) => DomainError) {}

  catch(error: unknown, host: ArgumentsHost): void {
    this.answer(error, host.switchToHttp().getResponse<Response>());
  }

  /** For what no route of Nest's answers. */
  answer(error: unknown, response: Response): void {
    const fault = fromHttp(error) ?? this.translate(error);
    const { id: correlationId } = workOf(response);
    if (fault.code === 'internal') this.logger.error('a request failed', { correlationId }, fault);
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

/** Errors of Nest and of its body parser carry a status; what is not in the table and below 500 is the client's fault. */
function fromHttp(error: unknown): DomainError | null {
  const status = error instanceof HttpException ? error.getStatus() : statusOf(error);
  if (status === undefined || status >= 500) return null;
  const code = CODE_OF_STATUS.get(status) ?? 'invalid_payload';
  if (code === 'not_found') return new DomainError(code, 'There is nothing here, or it is not yours to see.');
  const message = error instanceof Error ? error.message : 'The request is not valid.';
  return new DomainError(code, message.slice(0, 200));
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('status' in error)) return undefined;
  return typeof error.status === 'number' ? error.status : undefined;
}
