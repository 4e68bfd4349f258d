import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Principal } from '../../auth/principal.js';
import type { StreamMetrics } from '../metrics/stream-metrics.js';
import type { StreamRunners } from '../production/stream-runners.js';
import type { StreamingService } from '../streaming.service.js';
import type { StreamReader } from './stream-reader.js';
import type { Viewer } from './viewer.js';
import { Viewers, type ViewerQuota } from './viewers.js';

const ANN = { userId: 'ann', roles: [], isAdmin: false, guest: false, expiresAt: Infinity } as Principal;
const QUESTION = { conversationId: 'c', message: 'Hello?', clientMessageId: 'm1' };

const send = vi.fn<() => Promise<{ streamId?: string; duplicate: boolean }>>();
const open = vi.fn<() => Promise<{ row: object; close: () => void }>>();
const follow = vi.fn<(principal: Principal, row: object, options: { fromSequence: number }) => object>();
const close = vi.fn<() => void>();
let runners: { isLeaving: boolean; onHandover: (leave: () => Promise<void>) => void; has: () => boolean };
let viewer: Record<'cut' | 'endEmpty' | 'show' | 'leave', ReturnType<typeof vi.fn>>;
let viewers: Viewers;
let leave: () => Promise<void>;

beforeEach(() => {
  for (const mock of [send, open, follow, close]) mock.mockReset();
  send.mockResolvedValue({ streamId: 's', duplicate: false });
  open.mockResolvedValue({ row: { lastSequence: 9, completedAt: null }, close });
  runners = { isLeaving: false, onHandover: (listener) => (leave = listener), has: () => false };
  viewer = { cut: vi.fn(), endEmpty: vi.fn(), show: vi.fn(), leave: vi.fn() };
  const quota = { run: (_userId: string, read: () => Promise<unknown>) => read() };
  const metrics = { countViewers: () => {} };
  viewers = new Viewers(
    { send } as object as StreamingService,
    { open, follow } as object as StreamReader,
    runners as object as StreamRunners,
    quota as object as ViewerQuota,
    metrics as object as StreamMetrics,
  );
});

function attach(lastEventId?: string): Promise<void> {
  return viewers.attach(viewer as object as Viewer, ANN, 's', { lastEventId });
}

function ask(lastEventId?: string): Promise<void> {
  return viewers.ask(viewer as object as Viewer, ANN, QUESTION, { lastEventId });
}

/** The sequences from which the log was followed. */
function starts(): number[] {
  return follow.mock.calls.map(([, , { fromSequence }]) => fromSequence);
}

describe('A viewer', () => {
  test('is cut while the server leaves, so that it reconnects: nothing is read or written for it (P12)', async () => {
    runners.isLeaving = true;
    await attach();
    expect(viewer.cut).toHaveBeenCalledTimes(1);
    expect(open).not.toHaveBeenCalled();
    expect(viewer.show).not.toHaveBeenCalled();
  });

  test('must leave when the server hands over, unless the answer is produced here; after its end no more (P12)', async () => {
    let finish = (): void => {};
    viewer.show.mockReturnValue(new Promise<void>((resolve) => (finish = resolve)));
    const attached = attach();
    await vi.waitFor(() => expect(viewer.show).toHaveBeenCalled());
    runners.has = () => true;
    await leave();
    expect(viewer.leave).not.toHaveBeenCalled();
    runners.has = () => false;
    await leave();
    expect(viewer.leave).toHaveBeenCalledTimes(1);
    finish();
    await attached;
    await leave();
    expect(viewer.leave).toHaveBeenCalledTimes(1);
    expect(close).toHaveBeenCalledTimes(1);
  });

  test('that has everything of an ended answer gets an empty end, otherwise the rest (P4)', async () => {
    await attach('9');
    expect(viewer.endEmpty).not.toHaveBeenCalled();
    open.mockResolvedValue({ row: { lastSequence: 9, completedAt: new Date(0) }, close });
    await attach('8');
    expect(viewer.endEmpty).not.toHaveBeenCalled();
    await attach('9');
    expect(viewer.endEmpty).toHaveBeenCalledTimes(1);
    expect(starts()).toEqual([10, 9]);
  });
});

describe('A question over HTTP', () => {
  test('shows its answer from the start, whatever position the client names', async () => {
    await ask('4');
    expect(starts()).toEqual([0]);
  });

  test('that is a repeat shows the first answer, after what the client has (P2)', async () => {
    send.mockResolvedValue({ streamId: 's', duplicate: true });
    await ask('4');
    expect(starts()).toEqual([5]);
  });

  test('is a conflict where the first one asked for no answer', async () => {
    send.mockResolvedValue({ duplicate: true });
    await expect(ask()).rejects.toMatchObject({ code: 'conflict' });
  });
});
