import { applyDecorators } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, type HealthCheckStatus } from '@nestjs/terminus';
import { Responds } from '../../platform/http/responses.decorator.js';
import { type JsonSchema, enumOf, optional, says, objectSchema } from '../../protocol/schemas/schema.js';

const PARTS: JsonSchema = {
  type: 'object',
  additionalProperties: {
    type: 'object',
    properties: { status: { enum: ['up', 'down'] }, message: { type: 'string' } },
    required: ['status'],
    additionalProperties: true,
  },
};
const RESULT = objectSchema<HealthCheckResult>({
  status: enumOf<HealthCheckStatus>({ ok: true, error: true, degraded: true, shutting_down: true }),
  info: optional(says(PARTS, 'What is up.')),
  error: optional(says(PARTS, 'What is down, and why.')),
  details: says(PARTS, 'Every part that was looked at, with its figures.'),
});

/** A probe, and what it answers: Terminus' own description has a word of OpenAPI 3.0. */
export function Probe(): MethodDecorator {
  return applyDecorators(
    HealthCheck({ noCache: true, swaggerDocumentation: false }),
    Responds(200, RESULT, { description: 'Nothing is down.' }),
    Responds(503, RESULT, { description: 'Something is down.' }),
  );
}
