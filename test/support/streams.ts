import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { Chunk, ChunkType, Message, TerminalMetadata } from '../../src/protocol/index.js';
import type { TestClient } from './client.js';

const TERMINAL: readonly ChunkType[] = ['complete', 'cancelled', 'error'];

/** What a viewer saw of one stream, checked. */
export interface SeenStream {
  chunks: Chunk[];
  text: string;
  terminal: Chunk & { metadata: TerminalMetadata };
  message: Message | undefined;
}

/** All chunks of a stream that `viewer` heard, as they came. */
export function chunksOf(viewer: TestClient, streamId: string): Chunk[] {
  return viewer.all('stream:chunk').filter((chunk) => chunk.streamId === streamId);
}

/** The content of `chunks`, joined. */
export function textOf(chunks: readonly Chunk[]): string {
  return chunks
    .filter(({ type }) => type === 'content')
    .map(({ content }) => content)
    .join('');
}

/** Checks that these are a whole stream: in order, without holes, one end, and an end that tells the truth (P4, P5). */
export function expectWholeChunks(chunks: readonly Chunk[]): Omit<SeenStream, 'message'> {
  expect(chunks.map(({ sequence }) => sequence)).toEqual(chunks.map((_, index) => index));
  expect(chunks[0]).toMatchObject({ type: 'metadata', content: '' });
  expect(chunks.filter(({ type }) => TERMINAL.includes(type))).toEqual(chunks.slice(-1));
  const terminal = chunks.at(-1) as SeenStream['terminal'];
  const text = textOf(chunks);
  expect(terminal.metadata).toMatchObject({
    contentChunks: chunks.filter(({ type }) => type === 'content').length,
    contentBytes: Buffer.byteLength(text),
    sha256: createHash('sha256').update(text).digest('hex'),
  });
  return { chunks: [...chunks], text, terminal };
}

/** Checks what `viewer` saw of an ended stream from its beginning, and that the assistant's message is its text. */
export function expectWholeStream(viewer: TestClient, streamId: string): SeenStream {
  const seen = expectWholeChunks(chunksOf(viewer, streamId));
  const messages = viewer.all('message:new').filter((message) => message.streamId === streamId);
  expect(messages).toHaveLength(seen.text === '' ? 0 : 1);
  const [message] = messages;
  if (message) {
    const { messageId, seq } = seen.terminal.metadata;
    const metadata = { finish: seen.terminal.type };
    expect(message).toMatchObject({ id: messageId, seq, content: seen.text, role: 'assistant', metadata });
  }
  return { ...seen, message };
}
