import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLlmServer, type LlmServer } from '../support/llm-server.js';
import { startServer, stopCleanly } from '../support/server.js';
import { eventually } from '../support/eventually.js';

let llm: LlmServer;

beforeAll(async () => {
  llm = await startLlmServer();
});
afterAll(() => llm.close());

test.each([
  ['words:3', '/v1', 'model server answers'],
  ['status:401', '/v1', "did not accept this server's key"],
  ['status:404', '/api', 'LLM_BASE_URL does not end with /v1'],
])('The server asks its model once after the start, and logs the result (%s)', async (model, path, said) => {
  const before = llm.requests.length;
  const server = await startServer({
    env: {
      ...{ LLM_BASE_URL: llm.baseUrl.replace('/v1', path), LLM_MODEL: model, LLM_CHECK_AT_START: 'true' },
      ...{ LOG_LEVEL: 'info', NODE_ENV: 'production' },
    },
  });
  await eventually(() => server.output().includes(said), said);
  expect(llm.requests.length - before).toBe(1);
  await stopCleanly(server);
});
