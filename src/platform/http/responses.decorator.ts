import { ApiResponse, type ApiResponseOptions } from '@nestjs/swagger';
import { STATUS_CODES } from 'node:http';
import type { JsonSchema } from '../../protocol/schemas/schema.js';

interface ResponseDoc {
  /** When this response is sent, if the status does not say it. */
  description?: string;
  /** Media type of the body; JSON by default. */
  as?: string;
  /** Schema of one item, if the body is a sequence of them. A keyword of OpenAPI 3.2 that 3.1 lacks. */
  each?: JsonSchema;
  /** Headers besides those of every response: name → schema. */
  headers?: Readonly<Record<string, JsonSchema>>;
}

/** Header of every response, errors included. */
export const REQUEST_ID = { 'X-Request-Id': { $ref: '#/components/headers/RequestId' } };

/**
 * Declares for OpenAPI a successful response of a route, once for each status. Without `schema` it has no body. Error
 * responses are the same for all routes and declared once (`app/docs.ts`).
 */
export function Responds(
  status: number,
  schema?: JsonSchema,
  { description = STATUS_CODES[status] ?? '', as = 'application/json', each, headers = {} }: ResponseDoc = {},
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
