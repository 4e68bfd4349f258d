import { describe, expect, test, vi } from 'vitest';
import { DomainError } from '../../common/domain-error.js';
import type { Chunk } from '../../protocol/index.js';
import type { AppendChunks, LoggedDraft, LogPosition } from '../log/chunk-log.store.js';
import { PauseGate } from './pause-gate.js';
import { FencedError, StreamWriter } from './stream-writer.js';

/** What an append does: `store` the chunks; store and `lose` the result; store a `part` and lose the result; `refuse` (the database is away). */
type Outcome = 'store' | 'lose' | 'part' | 'refuse';

/** A log in memory with the fence of the real one. Results of appends and the log's last chunks can be lost. */
class FakeLog {
  readonly stored: LoggedDraft[] = [];
  readonly appends: AppendChunks[] = [];
  epoch = 1;
  paused = false;
  version = 0;
  ended = false;
  private readonly outcomes: Outcome[] = [];
  private held: Promise<void> | undefined;

  order(...outcomes: Outcome[]): void {
    this.outcomes.push(...outcomes);
  }

  /** Appends wait until the returned function is called. */
  hold(): () => void {
    let release = (): void => {};
    this.held = new Promise((resolve) => (release = resolve));
    return release;
  }

  /** PostgreSQL crashes and comes back without the last `count` chunks. */
  loseTail(count: number): void {
    this.stored.splice(this.stored.length - count);
  }

  append = async (item: AppendChunks): Promise<Date | null> => {
    await this.held;
    this.appends.push(item);
    const outcome = this.outcomes.shift() ?? 'store';
    if (outcome === 'refuse') throw away();
    const follows = item.chunks[0]?.sequence === this.stored.length;
    if (item.epoch !== this.epoch || this.paused || this.ended || !follows) return null;
    const time = new Date(1000 + this.stored.length);
    this.stored.push(...item.chunks.map((chunk) => ({ ...chunk, at: chunk.at ?? time })));
    if (outcome === 'part') this.stored.pop();
    if (outcome === 'lose' || outcome === 'part') throw away();
    return time;
  };

  position = (): Promise<LogPosition> => {
    const { epoch, paused, version, ended, stored } = this;
    const lastChunkAt = stored.at(-1)?.at ?? new Date(0);
    return Promise.resolve({ epoch, paused, version, ended, lastSequence: stored.length - 1, lastChunkAt });
  };
}

function away(): DomainError {
  return new DomainError('timeout', 'The database did not respond in time.');
}

function begin(options: { showFirst?: boolean; keepBytes?: number; retryForMs?: number } = {}) {
  const log = new FakeLog();
  const gate = new PauseGate({ paused: false, version: 0 });
  const shown: Chunk[] = [];
  const writer = new StreamWriter({
    ...{ streamId: 's', epoch: 1, log, nextSequence: 0, gate, showFirst: false, retryForMs: 10_000 },
    ...{ keepBytes: 100_000, onFailed: () => {}, onShown: (chunk: Chunk) => shown.push(chunk), ...options },
  });
  const add = (...texts: string[]): void => {
    for (const content of texts) writer.add({ type: 'content', content });
  };
  const text = (chunks: readonly { content: string }[]): string =>
    chunks.map(({ content }) => content).join('');
  return { log, gate, shown, writer, add, text };
}

describe('A writer', () => {
  test('shows a chunk only when it is in the log (P4)', async () => {
    const { log, shown, writer, add, text } = begin();
    const release = log.hold();
    add('a', 'b');
    expect(shown).toEqual([]);
    release();
    await writer.flushed();
    expect(text(shown)).toBe('ab');
    expect(shown.map(({ sequence }) => sequence)).toEqual([0, 1]);
    expect(shown.map(({ timestamp }) => timestamp)).toEqual(log.stored.map(({ at }) => at?.toISOString()));
  });

  test('stores an append once although its result was lost, and shows the time of the log', async () => {
    const { log, shown, writer, add, text } = begin();
    log.order('lose');
    add('a', 'b', 'c');
    await writer.flushed();
    expect(text(log.stored)).toBe('abc');
    expect(text(shown)).toBe('abc');
    expect(shown.map(({ timestamp }) => timestamp)).toEqual(log.stored.map(({ at }) => at?.toISOString()));
  });

  test('continues after the stored part of an append whose result was lost', async () => {
    const { log, shown, writer, add, text } = begin();
    log.order('part', 'part');
    add('a', 'b', 'c');
    await writer.flushed();
    expect(text(log.stored)).toBe('abc');
    expect(shown.map(({ sequence, content }) => [sequence, content])).toEqual([
      [0, 'a'],
      [1, 'b'],
      [2, 'c'],
    ]);
  });

  test('retries while the database is away, and gives up after the retry window', async () => {
    const patient = begin();
    patient.log.order('refuse', 'refuse', 'lose');
    patient.add('a');
    await patient.writer.flushed();
    expect(patient.text(patient.log.stored)).toBe('a');
    const hasty = begin({ retryForMs: 0 });
    hasty.log.order('refuse');
    hasty.add('a');
    await expect(hasty.writer.flushed()).rejects.toThrow('did not respond in time');
    expect(hasty.shown).toEqual([]);
  });

  test('writes lost chunks again, byte for byte, with the next chunk', async () => {
    const { log, shown, writer, add, text } = begin();
    for (const letter of 'abcdef') {
      add(letter);
      await writer.flushed();
    }
    const before = [...log.stored];
    log.loseTail(4);
    add('g');
    await writer.flushed();
    expect(log.stored.slice(0, 6)).toEqual(before);
    expect(text(log.stored)).toBe('abcdefg');
    expect(text(shown)).toBe('abcdefg');
  });

  test('restores lost chunks when no other chunk follows', async () => {
    const { log, writer, add } = begin();
    add('a');
    await writer.flushed();
    add('b');
    await writer.flushed();
    const before = [...log.stored];
    log.loseTail(2);
    await writer.restore();
    expect(log.stored).toEqual(before);
    await writer.restore();
    expect(log.stored).toEqual(before);
  });

  test('restores lost chunks although the result of that append is lost too', async () => {
    const { log, writer, add, text } = begin();
    for (const letter of 'abc') {
      add(letter);
      await writer.flushed();
    }
    log.loseTail(2);
    log.order('refuse', 'lose');
    add('d');
    await writer.flushed();
    expect(text(log.stored)).toBe('abcd');
  });

  test('gives up rather than leave a gap when more was lost than it kept', async () => {
    const { log, writer, add } = begin({ keepBytes: 300 });
    for (const letter of 'abcdef') {
      add(letter);
      await writer.flushed();
    }
    log.loseTail(6);
    add('g');
    await expect(writer.flushed()).rejects.toThrow(FencedError);
    expect(log.stored).toEqual([]);
  });

  test.each(['next epoch', 'end'])('writes nothing more after the %s', async (what) => {
    const { log, shown, writer, add } = begin();
    add('a');
    await writer.flushed();
    if (what === 'next epoch') log.epoch = 2;
    else log.ended = true;
    add('b');
    await expect(writer.flushed()).rejects.toThrow(FencedError);
    add('c');
    expect(log.stored).toHaveLength(1);
    expect(shown).toHaveLength(1);
  });

  test('waits while the stream is paused, even if only the fence reports the pause, and continues exactly', async () => {
    const { log, gate, shown, writer, add, text } = begin();
    add('a');
    await writer.flushed();
    log.paused = true;
    log.version = 1;
    add('b');
    await vi.waitFor(() => expect(gate.paused).toBe(true));
    add('c');
    expect(text(log.stored)).toBe('a');
    const tries = log.appends.length;
    await new Promise(setImmediate);
    expect(log.appends).toHaveLength(tries);
    log.paused = false;
    log.version = 2;
    gate.apply({ paused: false, version: 2 });
    await writer.flushed();
    expect(text(log.stored)).toBe('abc');
    expect(text(shown)).toBe('abc');
  });

  test('counts the memory of many tiny chunks', () => {
    const { gate, writer, add } = begin();
    gate.apply({ paused: true, version: 1 });
    for (let n = 0; n < 1000; n += 1) add('x');
    expect(writer.buffered).toBeGreaterThan(100_000);
  });

  test('stops waiting for the end of a pause when it is stopped', async () => {
    const { gate, writer, add } = begin();
    gate.apply({ paused: true, version: 1 });
    add('a');
    writer.stop();
    await expect(writer.flushed()).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('A writer with showFirst', () => {
  test('shows chunks at once, and logs the time that it showed', async () => {
    const { log, shown, writer, add, text } = begin({ showFirst: true });
    const release = log.hold();
    add('a', 'b');
    expect(text(shown)).toBe('ab');
    release();
    await writer.flushed();
    expect(shown.map(({ timestamp }) => timestamp)).toEqual(log.stored.map(({ at }) => at?.toISOString()));
    log.loseTail(2);
    await writer.restore();
    expect(shown.map(({ timestamp }) => timestamp)).toEqual(log.stored.map(({ at }) => at?.toISOString()));
  });

  test('shows nothing while the stream is paused, then every chunk once and in order', async () => {
    const { gate, shown, writer, add, text } = begin({ showFirst: true });
    gate.apply({ paused: true, version: 1 });
    add('a', 'b');
    expect(shown).toEqual([]);
    gate.apply({ paused: false, version: 2 });
    add('c');
    await writer.flushed();
    add('d');
    expect(text(shown)).toBe('abcd');
    expect(shown.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3]);
  });
});
