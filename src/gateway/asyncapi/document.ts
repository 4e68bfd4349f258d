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

const DESCRIPTION = `Every event of the Socket.IO interface. An ordinary Socket.IO client (protocol version 5) speaks it:
\`io(url, { path: '${SOCKET_PATH}', auth: { token, deviceId, acks } })\`.

The name of a message is the name of its event. Each event of the client takes an acknowledgement, which is called exactly
once: with \`{ ok: true, … }\` or with \`{ ok: false, error }\`. Payloads of clients with keys that are not listed are refused;
objects of the server may get more keys later. The routes over HTTP are described by OpenAPI, at \`/api/docs\`.`;

/** The AsyncAPI 3.0 document of all events of Socket.IO, for a server that is reached at `host`. */
export function describeEvents(host: string, isSecure: boolean): object {
  const received = Object.entries(CLIENT_EVENTS).map(([event, { summary, dto, answer }]) =>
    receive(event, { summary, answer, payload: dto ? schemaOf(dto) : {} }),
  );
  const sent = Object.entries(SERVER_EVENTS).map(([event, { summary, payload }]) =>
    send(event, { summary, payload }),
  );
  const parts = [...received, ...sent];
  return {
    asyncapi: '3.0.0',
    info: { title: 'Streamgate', version: '1.0', description: DESCRIPTION },
    defaultContentType: 'application/json',
    servers: { streamgate: serverOf(host, isSecure) },
    channels: {
      socket: {
        address: SOCKET_PATH,
        title: 'The namespace / of Socket.IO',
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
  description: 'A JSON Web Token, or a guest token, as `token` of the handshake’s `auth`; not as a header.',
};

function serverOf(host: string, isSecure: boolean): object {
  return {
    host,
    pathname: SOCKET_PATH,
    protocol: isSecure ? 'wss' : 'ws',
    description: 'Socket.IO, by WebSocket or HTTP long polling.',
    security: [{ $ref: '#/components/securitySchemes/token' }],
  };
}

interface Received {
  summary: string;
  payload: JsonSchema;
  answer: ObjectSchema;
}

function receive(
  event: string,
  { summary, payload, answer }: Received,
): { messages: Section; operations: Section } {
  const message = `client.${event}`;
  const reply = `ack.${event}`;
  return {
    messages: {
      [message]: { name: event, summary, payload },
      [reply]: { name: event, title: `Acknowledgement of ${event}`, payload: acknowledgement(answer) },
    },
    operations: {
      [message]: {
        action: 'receive',
        channel: CHANNEL,
        summary,
        messages: [refOf(message)],
        reply: { channel: CHANNEL, messages: [refOf(reply)] },
      },
    },
  };
}

function send(
  event: string,
  { summary, payload }: Omit<Received, 'answer'>,
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

function acknowledgement(answer: ObjectSchema): JsonSchema {
  const done = objectSchema<{ ok: true }>({ ok: { const: true } });
  const refused = objectSchema<{ ok: false; error: WireError }>({
    ok: { const: false },
    error: ref('Error'),
  });
  return { oneOf: [extend(done, answer), refused] };
}
