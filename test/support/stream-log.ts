import { isTerminal, type Chunk, type StreamStatus } from '../../src/protocol/index.js';
import type { ChunkEntity } from '../../src/streaming/log/chunk.entity.js';
import { CHUNK_COLUMNS, toChunk } from '../../src/streaming/log/stream.rows.js';
import { withClient } from './with-client.js';

/** What a test wants to know of a stream's row. */
export interface StoredStream {
  id: string;
  status: StreamStatus;
  epoch: number;
  last_sequence: number;
  owner_node: string | null;
  interruptions: number;
  recoveries: number;
}

const DEADLINE_MS = 60_000;

/** All chunks of a stream as they are in the log, whatever the service says. */
export function readLog(databaseUrl: string, streamId: string): Promise<Chunk[]> {
  return withClient(databaseUrl, async (client) => {
    const text = `select ${CHUNK_COLUMNS} from stream_chunks c where c.stream_id = $1 order by c.sequence`;
    const { rows } = await client.query<ChunkEntity>(text, [streamId]);
    return rows.map(toChunk);
  });
}

/** Rows of these streams. */
export function storedStreams(databaseUrl: string, streamIds: readonly string[]): Promise<StoredStream[]> {
  return withClient(databaseUrl, async (client) => {
    const text = `select id, status, epoch, last_sequence, owner_node, interruptions, recoveries from streams
      where id = any($1::uuid[]) order by id`;
    return (await client.query<StoredStream>(text, [streamIds])).rows;
  });
}

/** Looks at the streams' rows again and again until all fit. @throws after a minute, with what they are then. */
export async function waitForStreams(
  databaseUrl: string,
  streamIds: readonly string[],
  fits: (stream: StoredStream) => boolean,
): Promise<StoredStream[]> {
  return withClient(databaseUrl, async (client) => {
    const text = `select id, status, epoch, last_sequence, owner_node, interruptions, recoveries from streams
      where id = any($1::uuid[]) order by id`;
    const giveUpAt = Date.now() + DEADLINE_MS;
    for (;;) {
      const { rows } = await client.query<StoredStream>(text, [streamIds]);
      if (rows.length === streamIds.length && rows.every(fits)) return rows;
      if (Date.now() > giveUpAt)
        throw new Error(`The streams are not so yet: ${JSON.stringify(rows.slice(0, 5))}`);
      await client.query('select pg_sleep(0.02)');
    }
  });
}

/** Whether a stream has ended, by its status. */
export function hasEnded({ status }: Pick<StoredStream, 'status'>): boolean {
  return status === 'completed' || status === 'cancelled' || status === 'failed';
}

/** Whether the last of these chunks, and no other, is terminal. */
export function endsOnce(chunks: readonly Chunk[]): boolean {
  return chunks.filter(isTerminal).length === 1 && isTerminal(chunks.at(-1) as Chunk);
}
