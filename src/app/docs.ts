import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, SwaggerModule, type ApiResponseOptions, type OpenAPIObject } from '@nestjs/swagger';
import { VERSION } from '../common/project.js';
import { REQUEST_ID } from '../platform/http/responses.decorator.js';
import { PROBLEM } from '../platform/http/problem.js';
import { RESPONSES } from '../protocol/schemas/responses.js';
import { OBJECTS } from '../protocol/schemas/objects.js';
import { type JsonSchema, COUNT, ref, TEXT } from '../protocol/schemas/schema.js';

const DESCRIPTION = `All routes with their requests and responses. Bodies and queries with keys that are not listed are
refused; objects of the server may get more keys later. \`x-itemSchema\` is the schema of one item of a sequence, as
\`itemSchema\` of OpenAPI 3.2. The events of Socket.IO are described by [AsyncAPI](/api/asyncapi-json).`;

/** Schemas that routes refer to by name. A schema of a single route is declared at that route. */
const SCHEMAS: Readonly<Record<string, JsonSchema>> = { ...OBJECTS, ...RESPONSES, Problem: PROBLEM };

const HEADERS = {
  RequestId: { description: 'Finds the request in the server’s log.', required: true, schema: TEXT },
  RetryAfter: { description: 'Seconds to wait before the next attempt.', schema: COUNT },
  Challenge: { description: 'With 401 (RFC 6750, 3).', schema: TEXT },
};

/** The response of every route when it refuses a request (protocol section 6). */
const REFUSAL = {
  status: 'default',
  description: 'A problem body, whose `code` says why the request was refused.',
  headers: {
    ...REQUEST_ID,
    'Retry-After': { $ref: '#/components/headers/RetryAfter' },
    'WWW-Authenticate': { $ref: '#/components/headers/Challenge' },
  },
  content: { 'application/problem+json': { schema: ref('Problem') } },
} as ApiResponseOptions;

/** A body for each schema of one, which Swagger UI sends unless it is edited: without these, it makes up invalid ones. */
const EXAMPLES: Readonly<Record<string, object>> = {
  GuestDto: { name: 'Alice' },
  RevocationDto: { jti: 'id-of-a-token' },
  CreateConversationDto: { id: 'example', title: 'An example' },
  UpdateConversationDto: { title: 'A better example' },
  SendBodyDto: { clientMessageId: 'message-1', content: 'What is Streamgate?' },
  AskDto: { conversationId: 'example', message: 'What is Streamgate?' },
  TicketRequestDto: { streamId: '01a22654-7d5d-72ef-a1c5-a13a17c72951' },
  AckBodyDto: { seq: 1, read: true },
  SystemMessageDto: { content: 'Maintenance begins at 22:00.' },
};

/** Serves the OpenAPI document of all routes at `/api/docs-json`, built at the first request, and Swagger UI at `/api/docs`. */
export function serveDocs(app: NestExpressApplication): void {
  SwaggerModule.setup('api/docs', app, () => describeRoutes(app), { jsonDocumentUrl: 'api/docs-json' });
}

function describeRoutes(app: NestExpressApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Streamgate')
    .setDescription(DESCRIPTION)
    .setVersion(VERSION)
    .addBearerAuth()
    .addApiKey({ type: 'apiKey', in: 'query', name: 'ticket', description: 'A stream ticket.' }, 'ticket')
    .addGlobalResponse(REFUSAL)
    .build();
  const { components, ...document } = SwaggerModule.createDocument(app, config);
  // The schemas that Nest found by itself are those of request bodies.
  const bodies = Object.entries(components?.schemas ?? {}).map(
    ([name, body]) => [name, { ...body, additionalProperties: false, examples: [EXAMPLES[name]] }] as const,
  );
  const schemas = { ...Object.fromEntries(bodies), ...SCHEMAS };
  return { ...document, components: { ...components, schemas, headers: HEADERS } };
}
