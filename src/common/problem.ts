import { ERROR_RULES, type Problem } from '../protocol/index.js';
import type { DomainError } from './domain-error.js';

/** An error as its HTTP body (RFC 9457, protocol section 6). */
export function toProblem(fault: DomainError, correlationId: string): Problem {
  const { code, message, ...rest } = fault.toWire(correlationId);
  const title = code.replaceAll('_', ' ');
  return { type: 'about:blank', title, status: ERROR_RULES[code].httpStatus, detail: message, code, ...rest };
}
