import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../src/common/clock.js';
import type { DomainError } from '../../src/common/domain-error.js';
import {
  OpenAiCompatibleProvider,
  type OpenAiCompatibleOptions,
} from '../../src/providers/openai-compatible.provider.js';
import { FailureReports, retryAfterMs } from '../../src/providers/openai-compatible/provider-errors.js';
import { Redactor } from '../../src/providers/openai-compatible/redactor.js';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';

let server: LlmServer;
let next: number;
const opened: OpenAiCompatibleProvider[] = [];

beforeAll(async () => {
  server = await startLlmServer();
});
afterAll(() => server.close());
beforeEach(() => {
  next = server.requests.length;
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((provider) => provider.close()));
});

function provider(options: Partial<OpenAiCompatibleOptions> = {}): OpenAiCompatibleProvider {
  const made = new OpenAiCompatibleProvider({
    ...{ baseUrl: server.baseUrl, apiKey: 'sk-test-0123456789', models: ['any'], canContinue: false },
    ...{ timeoutMs: 10_000, idleTimeoutMs: 5000, clock: new SystemClock(), ...options },
  });
  opened.push(made);
  return made;
}

async function ask(from: OpenAiCompatibleProvider, model = 'words:2'): Promise<string> {
  let text = '';
  const { signal } = new AbortController();
  const messages = [{ role: 'user', content: 'Hello?' }] as const;
  for await (const delta of from.stream({ model, messages, signal }))
    text += delta.type === 'content' ? delta.text : '';
  return text;
}

const askedForUsage = (): boolean[] =>
  server.requests.slice(next).map(({ body }) => body.stream_options !== undefined);

describe('what an operator sets for requests', () => {
  it('headers and fields are sent, and replace our own', async () => {
    const headers = { 'Api-Key': 'azure', Authorization: 'Basic abc' };
    await ask(provider({ headers, body: { top_p: 0.5, max_tokens: 9, stream_options: null } }));
    const { headers: sent, body } = await server.waitForRequest(next);
    expect(sent).toMatchObject({ 'api-key': 'azure', authorization: 'Basic abc' });
    expect(body).toMatchObject({ top_p: 0.5, max_tokens: 9, model: 'words:2', stream: true });
    expect(body).not.toHaveProperty('stream_options');
  });

  it('stream_options may be off from the beginning', async () => {
    await ask(provider({ streamOptions: 'off' }));
    expect(askedForUsage()).toEqual([false]);
  });

  it('a refusal that names nothing is followed by one try without stream_options', async () => {
    const strict = provider();
    server.script('status:400');
    await ask(strict);
    await ask(strict);
    expect(askedForUsage()).toEqual([true, false, false]);
  });

  it('a request that is refused either way fails with the first refusal', async () => {
    await expect(ask(provider(), 'status:400')).rejects.toMatchObject({ code: 'provider_error' });
    expect(askedForUsage()).toEqual([true, false]);
  });

  it('a server that has taken stream_options is asked once when it refuses something else', async () => {
    const lenient = provider();
    await ask(lenient);
    await expect(ask(lenient, 'status:400')).rejects.toMatchObject({ code: 'provider_error' });
    expect(askedForUsage()).toEqual([true, true]);
  });

  it('the first word may take longer than the others', async () => {
    const patient = { firstTokenTimeoutMs: 5000, idleTimeoutMs: 150 };
    expect(await ask(provider(patient), 'words:1:400')).not.toBe('');
    await expect(ask(provider(patient), 'stall:1')).rejects.toMatchObject({ code: 'provider_timeout' });
    // Its time in all begins with its first word.
    const brief = { ...patient, timeoutMs: 300 };
    expect(await ask(provider(brief), 'words:1:400')).not.toBe('');
    const hasty = { firstTokenTimeoutMs: 150, idleTimeoutMs: 5000 };
    await expect(ask(provider(hasty), 'stall:0')).rejects.toMatchObject({ code: 'provider_timeout' });
  });

  it('a server that still loads its model is asked until it has, within the time for the first word', async () => {
    server.script('loading', 'loading');
    expect(await ask(provider({ firstTokenTimeoutMs: 20_000 }))).not.toBe('');
    expect(server.requests.slice(next)).toHaveLength(3);
    server.script('loading', 'loading');
    const hasty = ask(provider({ firstTokenTimeoutMs: 500 }));
    await expect(hasty).rejects.toMatchObject({ code: 'provider_timeout' });
  });

  it('a proxy is used, except for this machine', async () => {
    const paths: string[] = [];
    const proxy = createServer((request, response) => {
      paths.push(request.url ?? '');
      response.writeHead(502).end();
    }).on('connect', (request, socket) => {
      paths.push(request.url ?? '');
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const httpProxy = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const far = provider({ baseUrl: 'http://llm.example/v1', proxies: { httpProxy } });
    await ask(far).catch(() => '');
    expect(paths.join()).toContain('llm.example');
    const seen = paths.length;
    expect(await ask(provider({ proxies: { httpProxy } }))).not.toBe('');
    expect(paths).toHaveLength(seen);
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
  });
});

describe('how long a server asks to wait', () => {
  it.each([
    [{ seconds: '0.5' }, 500],
    [{ seconds: '7' }, 7000],
    [{ ms: '1500.5', seconds: '9' }, 1501],
    [{ seconds: '-1' }, undefined],
    [{ seconds: 'soon' }, undefined],
    [{}, undefined],
  ])('%j is %s ms', (headers, ms) => {
    expect(retryAfterMs(headers, 0)).toBe(ms);
  });
});

describe("a server's own sentence", () => {
  const prompt = 'my very private question about cats';
  const failures = (quotesAll: boolean): FailureReports =>
    new FailureReports(new Redactor(['sk-secret-key'], [prompt]), quotesAll);
  const causeOf = ({ cause }: DomainError): string => (cause as Error).message;

  it('is in the log, without the prompt and the key', () => {
    const said = `Too long: MY  VERY PRIVATE "question" about cats (sk-secret-key)`;
    const error = failures(false).refused({
      status: 500,
      body: JSON.stringify({ error: { message: said } }),
    });
    expect(causeOf(error)).toBe('HTTP 500: Too long: [prompt] ([key])');
    expect(error.message).toBe('The provider failed (HTTP 500).');
  });

  it('is in the message where everything is quoted', () => {
    const body = '[{"error":{"message":"CUDA out of memory"}}]';
    expect(failures(true).refused({ status: 500, body }).message).toBe(
      'The provider failed (HTTP 500): CUDA out of memory',
    );
  });

  it.each([
    [
      'OpenAI, Azure',
      { error: { code: 'DeploymentNotFound', message: 'No such deployment.' } },
      'No such deployment.',
    ],
    ['Anthropic', { type: 'error', error: { type: 'not_found_error', message: 'model: x' } }, 'model: x'],
    ['Cohere', { message: "model 'x' not found" }, "model 'x' not found"],
    ['Bedrock', { Message: 'Not authorized.' }, 'Not authorized.'],
    ['FastAPI', { detail: 'Not here' }, 'Not here'],
    [
      'FastAPI, a field',
      { detail: [{ type: 'missing', loc: ['body', 'model'], msg: 'Field required' }] },
      'body.model: Field required',
    ],
    ['OAuth', { error: 'invalid_client', error_description: 'The key has expired' }, 'The key has expired'],
    ['RFC 9457', { type: 'about:blank', title: 'Bad', status: 400, detail: 'Too long' }, 'Too long'],
    ['RFC 9457, short', { title: 'Model not loaded', status: 400 }, 'Model not loaded'],
    ['Cloudflare', { success: false, errors: [{ code: 7009, message: 'No route' }] }, 'No route'],
    ['Ollama', { error: 'model "x" not found' }, 'model "x" not found'],
    ['a bare code', { error: 'busy' }, 'busy'],
    ['an unknown shape', { fault: { why: 'no memory' } }, '{"fault":{"why":"no memory"}}'],
    ['plain text', '404 page not found\n', '404 page not found'],
  ])('is found in the form of %s', (_, said, sentence) => {
    const body = typeof said === 'string' ? said : JSON.stringify(said);
    const error = failures(false).refused({ status: 400, body });
    expect(error.message).toBe(`The provider refused the request (HTTP 400): ${sentence}`);
    expect(causeOf(error)).toBe(`HTTP 400: ${sentence}`);
  });

  it('is not a web page', () => {
    const { message } = failures(true).refused({ status: 502, body: '<html>Bad Gateway</html>' });
    expect(message).toBe('The provider failed (HTTP 502).');
  });

  it('explains a 403, which is not about the key alone', () => {
    const body =
      '{"error":{"code":"unsupported_country_region_territory","message":"Country not supported"}}';
    const { message } = failures(false).refused({ status: 403, body });
    expect(message).toBe('The provider does not allow this request (HTTP 403): Country not supported');
    expect(failures(false).refused({ status: 403, body: '' }).message).toContain('region or moderation');
  });

  it('says that a quota is used up, which no retry mends', () => {
    const body = '{"error":{"code":"insufficient_quota","message":"You exceeded your quota"}}';
    const error = failures(false).refused({ status: 429, body });
    expect(error).toMatchObject({ code: 'provider_error', retryable: false });
    expect(error.message).toContain('You exceeded your quota');
  });
});
