import { expect } from 'vitest';
import { TestClient } from './client.js';
import { startLlmServer } from './llm-server.js';
import { startServer, stopCleanly, type TestServer } from './server.js';
import { expectWholeStream } from './streams.js';

/** A server where somebody listens to a running answer next door during each test, and must not notice anything. */
export interface Peers {
  readonly server: TestServer;
  /** The peer asks, and its answer begins to stream. */
  begin(): Promise<void>;
  /** The process is the same, answers, and the peer's answer came whole. */
  expectUnharmed(): Promise<void>;
  stop(): Promise<void>;
}

const ANSWER = 'words:6:10';

/** Starts a {@link Peers}, with `env` beside its own variables. */
export async function startPeers(env: Record<string, string> = {}): Promise<Peers> {
  const llm = await startLlmServer();
  const provider = { LLM_BASE_URL: llm.baseUrl, LLM_MODEL: ANSWER, STREAM_CHUNK_DELAY_MS: '0' };
  const limits = { RATE_LIMIT_STREAMS: '1000/60' };
  const server = await startServer({ env: { ...provider, ...limits, ...env } });
  const peer = await TestClient.connect(server.url, 'peer');
  await peer.ask('conversation:join', { conversationId: 'next-door' });
  let asked = 0;
  let streamId = '';

  async function begin(): Promise<void> {
    asked += 1;
    const question = { conversationId: 'next-door', clientMessageId: `n-${asked}`, content: 'Go on.' };
    const sent = await peer.ask('message:send', { ...question, includeContext: false });
    streamId = sent.streamId as string;
    await peer.waitFor('stream:chunk', (chunk) => chunk.streamId === streamId);
  }

  async function expectUnharmed(): Promise<void> {
    await peer.waitFor('message:new', (message) => message.streamId === streamId);
    expectWholeStream(peer, streamId);
    expect(() => process.kill(server.pid, 0)).not.toThrow();
    expect(await peer.ask('ping', 'still there?')).toMatchObject({ echo: 'still there?' });
    // What a client sent wrong is not the server's own fault.
    expect(server.output()).not.toMatch(/internal|unhandled|RangeError|TypeError/i);
  }

  async function stop(): Promise<void> {
    peer.close();
    await stopCleanly(server);
    await llm.close();
  }

  return { server, begin, expectUnharmed, stop };
}
