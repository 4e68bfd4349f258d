import { VERSION } from '../../common/project.js';
import { schemaOf } from '../../platform/validation/payload-rules.js';
import { OBJECTS } from '../../protocol/schemas/objects.js';
import {
  type JsonSchema,
  extend,
  ref,
  objectSchema,
  type ObjectSchema,
} from '../../protocol/schemas/schema.js';
import { SOCKET_PATH, type WireError } from '../../protocol/index.js';
import { CLIENT_EVENTS } from './client-events.js';
import { SERVER_EVENTS } from './server-events.js';

type Section = Record<string, object>;

const CHANNEL = { $ref: '#/channels/socket' };

const DESCRIPTION = `All events of the Socket.IO interface. Connect with an ordinary Socket.IO client (protocol version 5):
\`io(url, { path: '${SOCKET_PATH}', auth: { token, deviceId, acks } })\`.

The name of a message is the name of its event. Each client event takes an ack, which is called exactly once: with
\`{ ok: true, … }\` or with \`{ ok: false, error }\`. The server rejects payloads with unknown keys. Clients must ignore unknown keys,
because later versions may add some. The HTTP routes are described by OpenAPI, at \`/api/docs\`.`;

/** Returns the AsyncAPI 3.0 document of all Socket.IO events, for a server at `host`. */
export function describeEvents(host: string, isSecure: boolean): object {
  const received = Object.entries(CLIENT_EVENTS).map(([event, { summary, dto, ack }]) =>
    receive(event, { summary, ack, payload: dto ? schemaOf(dto) : {} }),
  );
  const sent = Object.entries(SERVER_EVENTS).map(([event, { summary, payload }]) =>
    send(event, { summary, payload }),
  );
  const parts = [...received, ...sent];
  return {
    asyncapi: '3.0.0',
    info: { title: 'Streamgate', version: VERSION, description: DESCRIPTION },
    defaultContentType: 'application/json',
    servers: { streamgate: serverOf(host, isSecure) },
    channels: {
      socket: {
        address: SOCKET_PATH,
        title: 'The Socket.IO namespace /',
        messages: Object.assign({}, ...parts.map(({ messages }) => messages)) as Section,
      },
    },
    operations: Object.assign({}, ...parts.map(({ operations }) => operations)) as Section,
    components: { schemas: OBJECTS, securitySchemes: { token: TOKEN } },
  };
}

const TOKEN = {
  type: 'http',
  scheme: 'bearer',
  bearerFormat: 'JWT',
  description:
    'A JSON Web Token or a guest token, sent as `token` in the `auth` object of the handshake, not as a header.',
};

function serverOf(host: string, isSecure: boolean): object {
  return {
    host,
    pathname: SOCKET_PATH,
    protocol: isSecure ? 'wss' : 'ws',
    description: 'Socket.IO over WebSocket or HTTP long polling.',
    security: [{ $ref: '#/components/securitySchemes/token' }],
  };
}

interface ClientEventParts {
  summary: string;
  payload: JsonSchema;
  ack: ObjectSchema;
}

function receive(
  event: string,
  { summary, payload, ack }: ClientEventParts,
): { messages: Section; operations: Section } {
  const message = `client.${event}`;
  const ackMessage = `ack.${event}`;
  return {
    messages: {
      [message]: { name: event, summary, payload },
      [ackMessage]: { name: event, title: `Ack of ${event}`, payload: ackSchema(ack) },
    },
    operations: {
      [message]: {
        action: 'receive',
        channel: CHANNEL,
        summary,
        messages: [refOf(message)],
        reply: { channel: CHANNEL, messages: [refOf(ackMessage)] },
      },
    },
  };
}

function send(
  event: string,
  { summary, payload }: Omit<ClientEventParts, 'ack'>,
): { messages: Section; operations: Section } {
  const message = `server.${event}`;
  return {
    messages: { [message]: { name: event, summary, payload } },
    operations: {
      [message]: { action: 'send', channel: CHANNEL, summary, messages: [refOf(message)] },
    },
  };
}

function refOf(message: string): object {
  return { $ref: `#/channels/socket/messages/${message}` };
}

function ackSchema(fields: ObjectSchema): JsonSchema {
  const success = objectSchema<{ ok: true }>({ ok: { const: true } });
  const failure = objectSchema<{ ok: false; error: WireError }>({
    ok: { const: false },
    error: ref('Error'),
  });
  return { oneOf: [extend(success, fields), failure] };
}
