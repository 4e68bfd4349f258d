import { describe, expect, test, vi } from 'vitest';
import { DomainError } from '../../common/domain-error.js';
import type { Chunk } from '../../protocol/index.js';
import type { AppendChunks, LoggedDraft, LogPosition } from '../log/chunk-log.store.js';
import { PauseGate } from '../control/pause-gate.js';
import { FencedError, StreamWriter } from './stream-writer.js';

/** What one append does: `store` and say so; `lose` its answer; store a `part` and lose the rest; `refuse` unseen (the database is away). */
type Fate = 'store' | 'lose' | 'part' | 'refuse';

/** A log in memory with the fence of the real one, whose answers can be lost and whose end too. */
class FakeLog {
  readonly stored: LoggedDraft[] = [];
  readonly appends: AppendChunks[] = [];
  epoch = 1;
  paused = false;
  version = 0;
  ended = false;
  private readonly fates: Fate[] = [];
  private held: Promise<void> | undefined;

  order(...fates: Fate[]): void {
    this.fates.push(...fates);
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
    const fate = this.fates.shift() ?? 'store';
    if (fate === 'refuse') throw away();
    const follows = item.chunks[0]?.sequence === this.stored.length;
    if (item.epoch !== this.epoch || this.paused || this.ended || !follows) return null;
    const time = new Date(1000 + this.stored.length);
    this.stored.push(...item.chunks.map((chunk) => ({ ...chunk, at: chunk.at ?? time })));
    if (fate === 'part') this.stored.pop();
    if (fate === 'lose' || fate === 'part') throw away();
    return time;
  };

  position = (): Promise<LogPosition> => {
    const { epoch, paused, version, ended, stored } = this;
    const lastChunkAt = stored.at(-1)?.at ?? new Date(0);
    return Promise.resolve({ epoch, paused, version, ended, lastSequence: stored.length - 1, lastChunkAt });
  };
}

function away(): DomainError {
  return new DomainError('timeout', 'The database did not answer in time.');
}

function begin(options: { showFirst?: boolean; keepBytes?: number; patienceMs?: number } = {}) {
  const log = new FakeLog();
  const gate = new PauseGate({ paused: false, version: 0 });
  const shown: Chunk[] = [];
  const writer = new StreamWriter({
    ...{ streamId: 's', epoch: 1, log, nextSequence: 0, gate, showFirst: false, patienceMs: 10_000 },
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

  test('takes an append whose answer was lost for what it is: stored once, with the time that the log gave', async () => {
    const { log, shown, writer, add, text } = begin();
    log.order('lose');
    add('a', 'b', 'c');
    await writer.flushed();
    expect(text(log.stored)).toBe('abc');
    expect(text(shown)).toBe('abc');
    expect(shown.map(({ timestamp }) => timestamp)).toEqual(log.stored.map(({ at }) => at?.toISOString()));
  });

  test('goes on behind what is there where an append of unknown outcome is in the log by part', async () => {
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

  test('tries again while the database is away, and gives up after its patience', async () => {
    const patient = begin();
    patient.log.order('refuse', 'refuse', 'lose');
    patient.add('a');
    await patient.writer.flushed();
    expect(patient.text(patient.log.stored)).toBe('a');
    const hasty = begin({ patienceMs: 0 });
    hasty.log.order('refuse');
    hasty.add('a');
    await expect(hasty.writer.flushed()).rejects.toThrow('did not answer in time');
    expect(hasty.shown).toEqual([]);
  });

  test('writes again what PostgreSQL lost, byte for byte, when the next chunk comes', async () => {
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

  test('restores what PostgreSQL lost when nothing more comes', async () => {
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

  test('restores a lost end although the answer to that is lost too', async () => {
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

  test('gives up when more was lost than it kept, rather than leave a hole', async () => {
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

  test.each(['epoch', 'end'])('writes nothing more once its %s is over', async (what) => {
    const { log, shown, writer, add } = begin();
    add('a');
    await writer.flushed();
    if (what === 'epoch') log.epoch = 2;
    else log.ended = true;
    add('b');
    await expect(writer.flushed()).rejects.toThrow(FencedError);
    add('c');
    expect(log.stored).toHaveLength(1);
    expect(shown).toHaveLength(1);
  });

  test('holds back while the stream is paused, though it hears of it from the fence alone, and goes on exactly', async () => {
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
    gate.hear({ paused: false, version: 2 });
    await writer.flushed();
    expect(text(log.stored)).toBe('abc');
    expect(text(shown)).toBe('abc');
  });

  test('counts what it holds, also of many tiny chunks', () => {
    const { gate, writer, add } = begin();
    gate.hear({ paused: true, version: 1 });
    for (let n = 0; n < 1000; n += 1) add('x');
    expect(writer.buffered).toBeGreaterThan(100_000);
  });

  test('ends a wait for the pause when it is stopped', async () => {
    const { gate, writer, add } = begin();
    gate.hear({ paused: true, version: 1 });
    add('a');
    writer.stop();
    await expect(writer.flushed()).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('A writer that shows first', () => {
  test('waits for nothing, and writes the time that it showed', async () => {
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

  test('shows nothing of a paused stream, and afterwards all of it once and in order', async () => {
    const { gate, shown, writer, add, text } = begin({ showFirst: true });
    gate.hear({ paused: true, version: 1 });
    add('a', 'b');
    expect(shown).toEqual([]);
    gate.hear({ paused: false, version: 2 });
    add('c');
    await writer.flushed();
    add('d');
    expect(text(shown)).toBe('abcd');
    expect(shown.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3]);
  });
});
