import { ERROR_RULES, type Problem } from '../../protocol/index.js';
import type { DomainError } from '../../common/domain-error.js';
import { COUNT, FLAG, FREE, optional, says, objectSchema, TEXT } from '../../protocol/schemas/schema.js';

const CODES = Object.entries(ERROR_RULES)
  .filter(([, { httpStatus }]) => httpStatus > 0)
  .map(([code]) => code);

/** The schema of a {@link Problem}. */
export const PROBLEM = objectSchema<Problem>({
  type: TEXT,
  title: TEXT,
  status: { type: 'integer', minimum: 400, maximum: 599 },
  detail: says(TEXT, 'For people, and safe to show.'),
  code: { type: 'string', enum: CODES },
  retryable: says(FLAG, 'Whether the same request may succeed later.'),
  retryAfterMs: optional(says(COUNT, 'Milliseconds to wait before the next try.')),
  details: optional(FREE),
  correlationId: says(TEXT, 'Finds the error in the server’s log.'),
});

/** Returns the HTTP body of an error (RFC 9457, protocol section 6). */
export function toProblem(fault: DomainError, correlationId: string): Problem {
  const { code, message, ...rest } = fault.toWire(correlationId);
  const title = code.replaceAll('_', ' ');
  return { type: 'about:blank', title, status: ERROR_RULES[code].httpStatus, detail: message, code, ...rest };
}
