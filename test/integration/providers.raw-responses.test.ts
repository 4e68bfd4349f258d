import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../src/common/clock.js';
import type { DomainError } from '../../src/common/domain-error.js';
import { OpenAiCompatibleProvider } from '../../src/providers/openai-compatible.provider.js';
import { DONE, says, STOP } from '../support/llm-dialects.js';

const EVENTS = says('Hello') + STOP + DONE;
const SSE = 'content-type: text/event-stream\r\n';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

/** Answers each request by these bytes, and ends the connection after them. */
async function serve(response: string): Promise<string> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function ask(baseUrl: string, quotesFailures = false): Promise<string> {
  const provider = new OpenAiCompatibleProvider({
    ...{ baseUrl, apiKey: undefined, models: ['any'], canContinue: false, quotesFailures },
    ...{ timeoutMs: 10_000, idleTimeoutMs: 5000, clock: new SystemClock() },
  });
  cleanups.unshift(() => provider.close());
  let text = '';
  const { signal } = new AbortController();
  const messages = [{ role: 'user', content: 'Why is the sky blue?' }] as const;
  for await (const delta of provider.stream({ model: 'any', messages, signal }))
    text += delta.type === 'content' ? delta.text : '';
  return text;
}

async function failure(response: string, path = '/v1', quotesFailures = false): Promise<DomainError> {
  const url = await serve(response);
  return ask(url + path, quotesFailures).then(
    (text) => expect.unreachable(text),
    (error: unknown) => error as DomainError,
  );
}

describe('a model server that speaks HTTP in an unusual way is understood', () => {
  it.each([
    ['HTTP/1.0 without a length', `HTTP/1.0 200 OK\r\n${SSE}\r\n${EVENTS}`],
    [
      'an end of the connection instead of a length',
      `HTTP/1.1 200 OK\r\n${SSE}Connection: close\r\n\r\n${EVENTS}`,
    ],
    ['early hints', `HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n${SSE}\r\n${EVENTS}`],
    ['headers of 40 KiB', `HTTP/1.1 200 OK\r\n${SSE}x-gateway: ${'x'.repeat(40_960)}\r\n\r\n${EVENTS}`],
  ])('%s', async (_, response) => {
    expect(await ask(`${await serve(response)}/v1`)).toBe('Hello');
  });
});

describe('an address that is no chat completions API', () => {
  it.each([
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['200 without a body', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'],
    ['a stream without events', `HTTP/1.1 200 OK\r\n${SSE}\r\n`],
  ])('sends nothing: %s', async (_, response) => {
    const { message } = await failure(response);
    expect(message).toBe(
      'The provider sent an empty response: check LLM_BASE_URL, and the log of the provider.',
    );
  });

  it('sends a web page', async () => {
    const page = 'HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\n\r\n<!doctype html>';
    const { message } = await failure(page);
    expect(message).toBe('The provider sent a web page instead of a chat completion: correct LLM_BASE_URL.');
  });

  it.each([
    ['Ollama is running', 'Ollama is running'],
    ['{"code":1004,"msg":"login fail"}', '{"code":1004,"msg":"login fail"}'],
    ['You asked: Why is the sky blue?', 'You asked: [prompt]?'],
    ['{"choices":[{"delta":{"content":"Private', 'a broken chunk'],
  ])('sends something else, of which the beginning is in the log (%s)', async (body, logged) => {
    const error = await failure(`HTTP/1.1 200 OK\r\n\r\n${body}`);
    expect(error.message).toBe(
      'The provider sent something that is not a chat completion: check LLM_BASE_URL.',
    );
    expect((error.cause as Error).message).toBe(`the provider sent: ${logged}`);
  });

  it('is quoted where everything is quoted', async () => {
    const { message } = await failure('HTTP/1.1 200 OK\r\n\r\nOllama is running', '/v1', true);
    expect(message).toContain('check LLM_BASE_URL. It sent: Ollama is running');
  });

  it('redirects: the log says where to, without a query, and the error what to correct', async () => {
    const error = await failure(
      'HTTP/1.1 308 Permanent Redirect\r\nlocation: https://models.example/v1/?key=secret\r\ncontent-length: 0\r\n\r\n',
    );
    expect(error.message).toBe('The provider sent a redirect (HTTP 308): correct LLM_BASE_URL.');
    expect((error.cause as Error).message).toBe('HTTP 308 to https://models.example/v1/');
  });

  it.each([
    ['404', '/v1/chat/completions', 'LLM_BASE_URL must end before /chat/completions.'],
    ['404', '/v1/chat/completions/', 'LLM_BASE_URL must end before /chat/completions.'],
    ['404', '/api', 'LLM_BASE_URL does not end with /v1, as most servers want.'],
    ['405', '', 'LLM_BASE_URL does not end with /v1, as most servers want.'],
  ])('%s at %s is explained', async (status, path, hint) => {
    const { message } = await failure(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`, path);
    expect(message).toBe(`The provider refused the request (HTTP ${status}): ${hint}`);
  });
});
