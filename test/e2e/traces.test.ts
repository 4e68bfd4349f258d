import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TestClient } from '../support/client.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startServer, stopCleanly } from '../support/server.js';

interface SentSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
}

interface Export {
  resourceSpans: { scopeSpans: { spans: SentSpan[] }[] }[];
}

let llm: LlmServer;
let collector: Server;
let bodies: string[];

beforeEach(async () => {
  bodies = [];
  llm = await startLlmServer();
  collector = createServer((request, response) => {
    void text(request).then((body) => {
      bodies.push(body);
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  collector.close();
  await llm.close();
});

async function askAndStop(endpoint: string | undefined, env: Record<string, string> = {}): Promise<string> {
  const server = await startServer({
    env: {
      ...{ LLM_BASE_URL: llm.baseUrl, LLM_MODEL: 'words:3', ...env },
      ...(endpoint !== undefined && { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }),
    },
  });
  const alice = await TestClient.connect(server.url, 'alice');
  await alice.ask('conversation:join', { conversationId: 'room' });
  const question = { conversationId: 'room', clientMessageId: 'q1', content: 'a-text-of-nobodys-business' };
  await alice.ask('message:send', question);
  await alice.waitFor('stream:chunk', ({ type }) => type === 'complete');
  alice.close();
  await stopCleanly(server);
  return server.output();
}

test('One trace leads from a message to the provider, and is sent when the process ends', async () => {
  await askAndStop(`http://127.0.0.1:${(collector.address() as AddressInfo).port}`);
  const spans = bodies.flatMap((body) =>
    (JSON.parse(body) as Export).resourceSpans.flatMap(({ scopeSpans }) =>
      scopeSpans.flatMap((one) => one.spans),
    ),
  );
  const of = (name: string): SentSpan | undefined => spans.find((span) => span.name === name);
  const [sent, append, answer, call] = ['message:send', 'append message', 'answer', 'chat words:3'].map(of);
  expect(append).toMatchObject({ traceId: sent?.traceId, parentSpanId: sent?.spanId });
  expect(answer).toMatchObject({ traceId: sent?.traceId, parentSpanId: sent?.spanId });
  expect(call).toMatchObject({ traceId: sent?.traceId, parentSpanId: answer?.spanId });
  const { headers } = await llm.waitForRequest(0);
  expect(headers['traceparent']).toBe(`00-${call?.traceId}-${call?.spanId}-01`);
  expect(headers['x-request-id']).toBe(call?.traceId);
  expect(bodies.join()).not.toContain('business');
});

test('A collector that is away harms nothing', async () => {
  const output = await askAndStop('http://127.0.0.1:1');
  expect(output.split('spans could not be sent').length).toBeLessThanOrEqual(2);
});

test('Without a collector nothing of OpenTelemetry is loaded', async () => {
  // The metrics' library loads the API, which does nothing by itself.
  const ofTracing = /node_modules\/@opentelemetry\/(?!api\/)/;
  const without = await loadedSources(undefined);
  expect(without).toContainEqual(expect.stringMatching(/node_modules\/pino\//));
  expect(without).not.toContainEqual(expect.stringMatching(ofTracing));
  expect(await loadedSources('http://127.0.0.1:1')).toContainEqual(expect.stringMatching(ofTracing));
});

/** The sources of all bundled files that a server loads. */
async function loadedSources(endpoint: string | undefined): Promise<string[]> {
  const output = await askAndStop(endpoint, { NODE_DEBUG: 'esm' });
  const files = new Set(output.match(/file:\/\/[^\s'"]+\/dist\/[^\s'"]+\.js/g));
  // The bundler's own runtime has no map.
  const maps = await Promise.all(
    [...files].map((file) => readFile(new URL(`${file}.map`), 'utf8').catch(() => '{"sources":[]}')),
  );
  return maps.flatMap((map) => (JSON.parse(map) as { sources: string[] }).sources);
}
