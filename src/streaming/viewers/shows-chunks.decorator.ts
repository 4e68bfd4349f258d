import { applyDecorators } from '@nestjs/common';
import { ApiHeader, ApiSecurity } from '@nestjs/swagger';
import { Responds } from '../../platform/http/responses.decorator.js';
import { type JsonSchema, ref, objectSchema, TEXT, TIME, UUID } from '../../protocol/schemas/schema.js';
import type { FormatName } from './formats.js';

const HEADERS = {
  'X-Stream-Id': UUID,
  'Cache-Control': { const: 'no-cache, no-transform' },
  'X-Accel-Buffering': { const: 'no' },
};

/** Schema of one item of a response (protocol section 5.8.3): an event with its fields, or a line. */
const ITEMS: Readonly<Record<FormatName, JsonSchema>> = {
  sse: objectSchema<{ id: string; event: string; data: string }>({
    id: { type: 'string', pattern: '^[0-9]+$', description: 'The sequence of the chunk.' },
    event: {
      type: 'string',
      description: 'The type of the chunk; `failure` for `error`, which is an event of EventSource itself.',
    },
    data: { type: 'string', contentMediaType: 'application/json', contentSchema: ref('Chunk') },
  }),
  http: {
    oneOf: [
      ref('Chunk'),
      objectSchema<{ type: 'heartbeat'; timestamp: string }>({
        type: { const: 'heartbeat' },
        timestamp: TIME,
      }),
    ],
  },
};
const MEDIA_TYPES: Readonly<Record<FormatName, string>> = {
  sse: 'text/event-stream',
  http: 'application/x-ndjson',
};

/** Declares for OpenAPI that a route streams chunks, and reads `Last-Event-ID`. */
export function ShowsChunks(format: FormatName): MethodDecorator {
  return applyDecorators(
    ApiHeader({
      name: 'Last-Event-ID',
      description: 'Sequence of the last chunk that you have. Reading starts after it.',
      schema: { type: 'string', pattern: '^[0-9]{0,15}$' },
    }),
    Responds(200, TEXT, {
      description: 'The chunks, up to the terminal chunk, as they are produced.',
      as: MEDIA_TYPES[format],
      each: ITEMS[format],
      headers: HEADERS,
    }),
  );
}

/** Declares as {@link ShowsChunks}, for a route that attaches to a stream: a ticket is accepted, and SSE has a 204. */
export function ShowsStream(format: FormatName): MethodDecorator {
  const nothing = Responds(204, undefined, {
    description: 'The position is after the terminal chunk: there is nothing left to read.',
    headers: HEADERS,
  });
  return applyDecorators(ApiSecurity('ticket'), ShowsChunks(format), ...(format === 'sse' ? [nothing] : []));
}
