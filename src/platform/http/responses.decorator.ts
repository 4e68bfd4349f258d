import { ApiResponse, type ApiResponseOptions } from '@nestjs/swagger';
import { STATUS_CODES } from 'node:http';
import type { JsonSchema } from '../../protocol/schemas/schema.js';

interface Answer {
  /** When it is given, where the status does not say it. */
  description?: string;
  /** Media type of the body; JSON by default. */
  as?: string;
  /** Of one item, where the body is a sequence of them. A keyword of OpenAPI 3.2, for which 3.1 has no word. */
  each?: JsonSchema;
  /** Headers beside those of every answer: name → schema. */
  headers?: Readonly<Record<string, JsonSchema>>;
}

/** Every answer has it, refusals among them. */
export const REQUEST_ID = { 'X-Request-Id': { $ref: '#/components/headers/RequestId' } };

/**
 * Declares for OpenAPI what a route answers where it does not refuse, once for each status; without `schema` an answer has no
 * body. Refusals are the same for all routes, and declared once (`bootstrap-docs.ts`).
 */
export function Responds(
  status: number,
  schema?: JsonSchema,
  { description = STATUS_CODES[status] ?? '', as = 'application/json', each, headers = {} }: Answer = {},
): MethodDecorator {
  const own = Object.entries(headers).map(([name, given]) => [name, { required: true, schema: given }]);
  const all = { ...REQUEST_ID, ...(Object.fromEntries(own) as object) };
  const body = { schema, ...(each && { 'x-itemSchema': each }) };
  return ApiResponse({
    status,
    description,
    headers: all,
    ...(schema && { content: { [as]: body } }),
  } as ApiResponseOptions);
}
