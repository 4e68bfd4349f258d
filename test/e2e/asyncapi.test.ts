import { Ajv } from 'ajv';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLIENT_EVENTS } from '../../src/gateway/asyncapi/client-events.js';
import { SERVER_EVENTS } from '../../src/gateway/asyncapi/server-events.js';
import type { Ack, ClientEvents, SendResult } from '../../src/protocol/index.js';
import { TestClient, tokenFor } from '../support/client.js';
import { eventChecker, lostReferences, withFormats, type EventsDocument } from '../support/event-schemas.js';
import { http } from '../support/http.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startServer, type TestServer } from '../support/server.js';
import { surface } from '../support/surface.js';

const require = createRequire(import.meta.url);
/** AsyncAPI's own rules for a document. */
const RULES = JSON.parse(
  readFileSync(require.resolve('@asyncapi/specs/schemas/3.0.0-without-$id.json'), 'utf8'),
) as object;

let llm: LlmServer;
let server: TestServer;
let document: EventsDocument;
let faultsOf: ReturnType<typeof eventChecker>;

beforeAll(async () => {
  llm = await startLlmServer();
  server = await startServer({ env: { LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'words:30:20' } });
  document = (await (await fetch(`${server.url}/api/asyncapi-json`)).json()) as EventsDocument;
  faultsOf = eventChecker(document);
});

afterAll(async () => {
  await server.stop();
  await llm.close();
});

describe('the AsyncAPI document', () => {
  test('keeps the rules of AsyncAPI 3.0', () => {
    const check = withFormats(new Ajv({ strict: false, allErrors: true })).compile(RULES);
    check(document);
    expect(check.errors ?? []).toEqual([]);
  });

  test('has no reference that leads nowhere', () => {
    expect(lostReferences(document)).toEqual([]);
  });

  test('leads to the server that was asked', () => {
    const { host } = new URL(server.url);
    expect(document.servers).toMatchObject({
      streamgate: { host, protocol: 'ws', pathname: '/api/ws/chat' },
    });
  });

  test('has every event that is handled, with the class that its payload is checked by, and no other', () => {
    const { payloads } = surface();
    const documented = Object.entries(CLIENT_EVENTS).map(([event, { dto }]) => [event, dto]);
    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(payloads));
    const received = Object.entries(document.operations).filter(([, { action }]) => action === 'receive');
    const events = [...payloads.keys()].map((event) => `client.${event}`);
    expect(received.map(([key]) => key).toSorted()).toEqual(events.toSorted());
  });
});

test('Refusals have the shape of the document, and what it does not allow is refused', async () => {
  const client = await TestClient.connect(server.url, 'dora');
  const faults: string[] = [];
  for (const event of Object.keys(CLIENT_EVENTS)) {
    if (event === 'ping') continue;
    const answer = await client.raw(event, { nobody: 'knows this' });
    faults.push(...faultsOf(`ack.${event}`, answer));
    expect(answer.ok).toBe(false);
    expect(faultsOf(`client.${event}`, { nobody: 'knows this' })).not.toEqual([]);
  }
  client.close();
  expect(faults).toEqual([]);
});

/** Sends events, and holds every payload and every answer to the document. */
class Recorder {
  readonly faults: string[] = [];
  readonly answered = new Set<string>();

  async ask<K extends keyof ClientEvents>(
    client: TestClient,
    event: K,
    payload: ClientEvents[K][0],
  ): Promise<ClientEvents[K][1]> {
    const answer = await client.raw<Ack<ClientEvents[K][1]>>(event, payload);
    this.faults.push(...faultsOf(`client.${event}`, payload), ...faultsOf(`ack.${event}`, answer));
    if (!answer.ok) throw new Error(`${event}: ${answer.error.message}`);
    this.answered.add(event);
    return answer;
  }

  heard(clients: readonly TestClient[]): Set<string> {
    const heard = clients.flatMap((client) => client.heard);
    this.faults.push(...heard.flatMap(({ event, payload }) => faultsOf(`server.${event}`, payload)));
    return new Set(heard.map(({ event }) => event));
  }
}

test('What a running service sends and answers is what the document says, key by key', async () => {
  const recorder = new Recorder();
  const conversationId = randomUUID();
  const ann = await TestClient.connect(server.url, 'ann', { acks: true, name: 'Ann' });
  const bob = await TestClient.connect(server.url, 'bob', { acks: true });
  const soon = await tokenFor('cem', { jti: 'cem-1' }, '50s');
  const cem = await TestClient.connect(server.url, 'cem', { token: soon });
  await recorder.ask(ann, 'conversation:join', { conversationId, access: 'link' });
  await http(server.url, `PUT /api/conversations/${conversationId}/members/bob`, { userId: 'ann' });
  await http(server.url, `PATCH /api/conversations/${conversationId}`, {
    userId: 'ann',
    body: { title: 'T' },
  });
  await talk(recorder, conversationId, { ann, bob });
  await beThere(recorder, conversationId, { ann, bob });
  await control(recorder, conversationId, { ann, bob });
  const root = { userId: 'root', roles: ['admin'] };
  await http(server.url, 'POST /api/ws/topics/news/messages', {
    ...root,
    body: { content: 'N', metadata: { a: 1 } },
  });
  await http(server.url, 'POST /api/ws/users/bob/messages', { ...root, body: { content: 'U' } });
  await bob.waitFor('system:message', ({ topic }) => topic === 'news');
  await bob.waitFor('queue:deliver', ({ items }) => items.some(({ kind }) => kind === 'system'));
  await cem.waitFor('auth:expiring');
  await http(server.url, 'POST /api/auth/revocations', { ...root, body: { jti: 'cem-1' } });
  await cem.waitFor('connection:closing');
  await recorder.ask(bob, 'topic:unsubscribe', { topics: ['news'] });
  await recorder.ask(bob, 'conversation:leave', { conversationId });

  const leaving = server.terminate();
  await Promise.all([ann, bob].map((client) => client.waitFor('connection:draining')));
  const heard = recorder.heard([ann, bob, cem]);
  for (const client of [ann, bob, cem]) client.close();
  expect(recorder.faults).toEqual([]);
  expect([...recorder.answered].toSorted()).toEqual(Object.keys(CLIENT_EVENTS).toSorted());
  expect([...heard].toSorted()).toEqual(Object.keys(SERVER_EVENTS).toSorted());
  expect(await leaving).toBe(0);
});

interface People {
  ann: TestClient;
  bob: TestClient;
}

/** Messages, their receipts and queue, and an answer to its end. */
async function talk(recorder: Recorder, conversationId: string, { ann, bob }: People): Promise<void> {
  const plain = {
    conversationId,
    clientMessageId: 'm1',
    content: 'Hello.',
    metadata: { a: 1 },
    respond: false,
  };
  const { message } = await recorder.ask(ann, 'message:send', plain);
  await bob.waitFor('queue:deliver');
  await recorder.ask(bob, 'conversation:join', { conversationId, afterSeq: 0 });
  await recorder.ask(bob, 'message:ack', { conversationId, seq: message.seq, read: true });
  await ann.waitFor('message:receipt');
  const { streamId } = await recorder.ask(ann, 'message:send', {
    conversationId,
    clientMessageId: 'm2',
    content: '?',
  });
  const id = streamId as string;
  await bob.waitFor('stream:chunk', (chunk) => chunk.streamId === id && chunk.type === 'content');
  await recorder.ask(ann, 'conversation:join', { conversationId, afterSeq: 0 });
  await bob.waitFor('message:new', (one) => one.streamId === id);
  await recorder.ask(bob, 'stream:recover', { streamId: id, fromSequence: 0 });
  await recorder.ask(bob, 'message:history', { conversationId, beforeSeq: 3, limit: 2 });
}

async function beThere(recorder: Recorder, conversationId: string, { ann, bob }: People): Promise<void> {
  await recorder.ask(bob, 'presence:watch', { userIds: ['ann'] });
  await recorder.ask(ann, 'presence:update', { status: 'busy', metadata: { mood: 'calm' } });
  await bob.waitFor('presence:update', ({ status }) => status === 'busy');
  await recorder.ask(bob, 'presence:unwatch', { userIds: ['ann'] });
  await recorder.ask(ann, 'typing:start', { conversationId });
  await bob.waitFor('typing:update');
  await recorder.ask(ann, 'typing:stop', { conversationId });
  await recorder.ask(bob, 'topic:subscribe', { topics: ['news'] });
  await recorder.ask(bob, 'ping', { any: ['thing'] });
  await recorder.ask(bob, 'auth:refresh', { token: await tokenFor('bob') });
}

/** One answer that is paused, resumed and cancelled, and one that fails. */
async function control(recorder: Recorder, conversationId: string, { ann, bob }: People): Promise<void> {
  const question = { conversationId, clientMessageId: 'm3', content: 'More?' };
  const { streamId } = (await recorder.ask(ann, 'message:send', question)) as Required<SendResult>;
  await bob.waitFor('stream:chunk', (chunk) => chunk.streamId === streamId && chunk.type === 'content');
  await recorder.ask(ann, 'stream:pause', { streamId });
  await recorder.ask(ann, 'stream:resume', { streamId });
  await recorder.ask(ann, 'stream:cancel', { streamId });
  await bob.waitFor('stream:chunk', (chunk) => chunk.streamId === streamId && chunk.type === 'cancelled');
  llm.script('cut:3');
  const failing = await recorder.ask(ann, 'message:send', { ...question, clientMessageId: 'm4' });
  await bob.waitFor('stream:chunk', (chunk) => chunk.streamId === failing.streamId && chunk.type === 'error');
}
