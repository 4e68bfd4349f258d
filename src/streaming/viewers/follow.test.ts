import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Chunk } from '../../protocol/index.js';
import { follow, type ChunkSource } from './follow.js';

const TERMINAL_TEXT = 'end';

function chunkAt(sequence: number, total: number, content = `${sequence} `): Chunk {
  const type = sequence === total - 1 ? 'complete' : 'content';
  const timestamp = '2026-01-01T00:00:00.000Z';
  return { streamId: 's', sequence, type, content: type === 'complete' ? TERMINAL_TEXT : content, timestamp };
}

/** A log and a relay in memory, controlled by the test step by step. */
class FakeStream implements ChunkSource {
  readonly log: Chunk[] = [];
  readonly listeners = new Set<(chunk: Chunk) => void>();
  readonly faults: unknown[] = [];
  reads = 0;
  checks = 0;
  /** Awaited before and after each read of the log. */
  turn: () => Promise<void> = async () => {};
  readFault: Error | undefined;
  refusal: Error | undefined;

  constructor(private readonly pageChunks = 500) {}

  async read(fromSequence: number): Promise<readonly Chunk[]> {
    this.reads += 1;
    await this.turn();
    const fault = this.readFault;
    if (fault) {
      this.readFault = undefined;
      throw fault;
    }
    const page = this.log.slice(fromSequence, fromSequence + this.pageChunks);
    await this.turn();
    return page;
  }

  listen(onChunk: (chunk: Chunk) => void): () => void {
    this.listeners.add(onChunk);
    return () => this.listeners.delete(onChunk);
  }

  async check(): Promise<void> {
    this.checks += 1;
    if (this.refusal) throw this.refusal;
  }

  onFailure(error: unknown): void {
    this.faults.push(error);
    if (error === this.refusal) throw error;
  }

  append(chunk: Chunk): void {
    this.log.push(chunk);
  }

  publish(chunk: Chunk): void {
    for (const listener of this.listeners) listener(chunk);
  }
}

interface Reading {
  got: Chunk[];
  batches: number[];
  done: Promise<void>;
}

function reading(
  stream: FakeStream,
  { from = 0, signal = new AbortController().signal, pace = async () => {}, pollMs = 2 } = {},
): Reading {
  const got: Chunk[] = [];
  const batches: number[] = [];
  const run = async (): Promise<void> => {
    for await (const chunks of follow(stream, { fromSequence: from, signal, pollMs })) {
      got.push(...chunks);
      batches.push(chunks.length);
      await pace();
    }
  };
  return { got, batches, done: run() };
}

const sequences = (chunks: readonly Chunk[]): number[] => chunks.map(({ sequence }) => sequence);
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

describe('follow', () => {
  test('yields every chunk once, in order, to the end, although the relay delivers late, twice, out of order or never (P4)', async () => {
    // A step appends the next chunk, publishes a logged one (or none), or yields to the reader.
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.constant('append' as const) },
      { weight: 4, arbitrary: fc.nat({ max: 6 }) },
      { weight: 3, arbitrary: fc.constant('yield' as const) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 120 }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 7 }),
        fc.nat({ max: 8 }),
        fc.boolean(),
        async (steps, total, pageChunks, start, slow) => {
          const stream = new FakeStream(pageChunks);
          stream.turn = () => new Promise((resolve) => setImmediate(resolve));
          const from = Math.min(start, total - 1);
          for (let sequence = 0; sequence < from; sequence += 1) stream.append(chunkAt(sequence, total));
          const pace = slow ? () => new Promise<void>((resolve) => setImmediate(resolve)) : undefined;
          const viewer = reading(stream, { from, ...(pace && { pace }) });
          for (const action of steps) {
            if (action === 'yield') await new Promise((resolve) => setImmediate(resolve));
            else if (action === 'append') {
              if (stream.log.length < total) stream.append(chunkAt(stream.log.length, total));
            } else {
              const published = stream.log[stream.log.length - 1 - action];
              if (published) stream.publish(published);
            }
          }
          while (stream.log.length < total) stream.append(chunkAt(stream.log.length, total));
          await viewer.done;
          expect(sequences(viewer.got)).toEqual(range(from, total));
          expect(viewer.got).toEqual(stream.log.slice(from));
          expect(stream.listeners.size).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('needs no poll where the relay loses nothing: no chunk is missed between the read and the live ones', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 5 }),
        fc.nat({ max: 5 }),
        async (pauses, pageChunks, before) => {
          const stream = new FakeStream(pageChunks);
          stream.turn = () => new Promise((resolve) => setImmediate(resolve));
          const total = before + pauses.length;
          const write = (): void => {
            const chunk = chunkAt(stream.log.length, total);
            stream.append(chunk);
            stream.publish(chunk);
          };
          for (let count = 0; count < before; count += 1) write();
          const viewer = reading(stream, { pollMs: 60_000 });
          for (const turns of pauses) {
            for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
            write();
          }
          await viewer.done;
          expect(sequences(viewer.got)).toEqual(range(0, total));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('reads live chunks only after it has caught up, and does not read the log again', async () => {
    const stream = new FakeStream();
    const total = 200;
    const viewer = reading(stream);
    await new Promise((resolve) => setImmediate(resolve));
    const readsBefore = stream.reads;
    for (let sequence = 0; sequence < total; sequence += 1) {
      stream.append(chunkAt(sequence, total));
      stream.publish(chunkAt(sequence, total));
      await Promise.resolve();
    }
    await viewer.done;
    expect(sequences(viewer.got)).toEqual(range(0, total));
    expect(stream.reads).toBe(readsBefore);
  });

  test('buffers a bounded part for a reader that stands still, which then continues from the log in pages (P7)', async () => {
    const total = 5000;
    const stream = new FakeStream(500);
    let goOn = (): void => {};
    const stopped = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    let first = true;
    const pace = async (): Promise<void> => {
      if (first) await stopped;
      first = false;
    };
    stream.append(chunkAt(0, total));
    const viewer = reading(stream, { pace });
    await new Promise((resolve) => setImmediate(resolve));
    for (let sequence = 1; sequence < total; sequence += 1) {
      stream.append(chunkAt(sequence, total));
      stream.publish(chunkAt(sequence, total));
    }
    goOn();
    await viewer.done;
    expect(sequences(viewer.got)).toEqual(range(0, total));
    // Of the live chunks only the last 64 were kept: the rest came in ten pages.
    expect(viewer.batches.slice(1)).toEqual(expect.arrayContaining([500]));
    expect(stream.reads).toBeGreaterThanOrEqual(10);
  });

  test('reads a long log page by page without waiting for a poll', async () => {
    const stream = new FakeStream(5);
    for (let sequence = 0; sequence < 23; sequence += 1) stream.append(chunkAt(sequence, 23));
    const viewer = reading(stream, { pollMs: 3_600_000 });
    await viewer.done;
    expect(viewer.batches).toEqual([5, 5, 5, 5, 3]);
    expect(stream.checks).toBe(0);
  });

  test('tries a failed read again, and misses nothing', async () => {
    const stream = new FakeStream();
    for (let sequence = 0; sequence < 5; sequence += 1) stream.append(chunkAt(sequence, 5));
    stream.readFault = new Error('the database is away');
    const viewer = reading(stream);
    await viewer.done;
    expect(stream.faults).toHaveLength(1);
    expect(sequences(viewer.got)).toEqual(range(0, 5));
  });

  test('ends at the next check where the reader may no longer read, and stops listening (P10)', async () => {
    const stream = new FakeStream();
    stream.refusal = new Error('not a member');
    await expect(reading(stream).done).rejects.toThrow('not a member');
    expect(stream.listeners.size).toBe(0);
  });

  test('ends at once when it is aborted, while it waits and while it reads', async () => {
    for (const when of ['waiting', 'reading']) {
      const stream = new FakeStream();
      const abort = new AbortController();
      let release = (): void => {};
      if (when === 'reading') stream.turn = () => new Promise((resolve) => (release = resolve));
      const viewer = reading(stream, { signal: abort.signal });
      await new Promise((resolve) => setImmediate(resolve));
      abort.abort();
      release();
      stream.turn = async () => {};
      release();
      await viewer.done;
      expect(viewer.got).toEqual([]);
      expect(stream.listeners.size).toBe(0);
    }
  });
});
