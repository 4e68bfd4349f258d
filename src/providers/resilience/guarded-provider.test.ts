import { afterEach, describe, expect, it, vi } from 'vitest';
import { DomainError } from '../../common/domain-error.js';
import { MetricsRegistry } from '../../platform/metrics/registry.js';
import type { Delta, Provider, ProviderRequest } from '../provider.js';
import { ProviderCall } from './provider-call.js';
import { GuardedProvider, type GuardLimits } from './guarded-provider.js';
import { ProviderMetrics } from './provider-metrics.js';

const LIMITS: GuardLimits = {
  ...{
    retries: 2,
    backoffMs: 1,
    failures: 100,
    openMs: 10_000,
    maxConcurrent: 100,
    firstTokenTimeoutMs: 10_000,
  },
};
const AWAY = new DomainError('provider_unavailable', 'away');
const WRONG = new DomainError('provider_error', 'wrong', { retryable: false });
const WORD: Delta = { type: 'content', text: 'word' };
const FINISH: Delta = { type: 'finish', usage: null };

type Act = Error | 'answer' | 'stall' | 'cut';

/** A provider that performs its acts, one per call; then it answers. */
class Scripted implements Provider {
  readonly models = ['m'] as const;
  readonly canContinue = true;
  readonly requests: ProviderRequest[] = [];

  constructor(
    readonly name: string,
    private readonly acts: Act[],
  ) {}

  async *stream(request: ProviderRequest): AsyncGenerator<Delta> {
    this.requests.push(request);
    const act = this.acts.shift() ?? 'answer';
    if (act instanceof Error) throw act;
    if (act === 'stall') await aborted(request.signal);
    yield WORD;
    if (act === 'cut') throw AWAY;
    yield FINISH;
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

interface Setup {
  acts?: Act[];
  limits?: Partial<GuardLimits>;
}

function guarded({ acts = [], limits = {} }: Setup = {}) {
  const registry = new MetricsRegistry();
  const metrics = new ProviderMetrics(registry);
  const scripted = new Scripted('first', acts);
  const provider = new GuardedProvider(scripted, { ...LIMITS, ...limits }, metrics);
  return { provider, scripted, metrics, registry };
}

function request(signal = new AbortController().signal): ProviderRequest {
  return { model: 'm', messages: [], signal };
}

async function read(deltas: AsyncIterable<Delta>): Promise<Delta[]> {
  const all: Delta[] = [];
  for await (const delta of deltas) all.push(delta);
  return all;
}

async function ask(provider: GuardedProvider): Promise<Delta[]> {
  return read(await provider.open(request()));
}

afterEach(() => {
  vi.useRealTimers();
});

describe('retries', () => {
  it('ask again before the first delta, and nothing of the failures is seen', async () => {
    const { provider, scripted } = guarded({ acts: [AWAY, AWAY] });
    expect(await ask(provider)).toEqual([WORD, FINISH]);
    expect(scripted.requests).toHaveLength(3);
  });

  it('end with the last failure', async () => {
    const { provider, scripted } = guarded({ acts: [AWAY, AWAY, AWAY] });
    await expect(ask(provider)).rejects.toBe(AWAY);
    expect(scripted.requests).toHaveLength(3);
  });

  it('do not follow a final refusal, nor a failure after the first delta', async () => {
    const refused = guarded({ acts: [WRONG] });
    await expect(ask(refused.provider)).rejects.toBe(WRONG);
    const cut = guarded({ acts: ['cut'] });
    await expect(ask(cut.provider)).rejects.toBe(AWAY);
    expect([refused.scripted.requests.length, cut.scripted.requests.length]).toEqual([1, 1]);
  });

  it('wait as long as Retry-After asks, but not longer than 5 s', async () => {
    vi.useFakeTimers();
    const soon = new DomainError('provider_unavailable', 'soon', { retryAfterMs: 4000 });
    const { provider, scripted } = guarded({ acts: [soon] });
    const answer = ask(provider);
    await vi.advanceTimersByTimeAsync(3999);
    expect(scripted.requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await answer).toEqual([WORD, FINISH]);
    const late = new DomainError('provider_unavailable', 'late', { retryAfterMs: 5001 });
    await expect(ask(guarded({ acts: [late] }).provider)).rejects.toBe(late);
  });

  it('are not begun when the time for the first word would be over', async () => {
    const limits = { firstTokenTimeoutMs: 50, backoffMs: 100 };
    const { provider, scripted } = guarded({ acts: [AWAY], limits });
    await expect(ask(provider)).rejects.toBe(AWAY);
    expect(scripted.requests[0]?.firstTokenTimeoutMs).toBeLessThanOrEqual(50);
  });

  it('P6: a cancel ends a wait at once, and nothing is asked any more', async () => {
    vi.useFakeTimers();
    const { provider, scripted } = guarded({ acts: [AWAY], limits: { backoffMs: 4000 } });
    const abort = new AbortController();
    const opened = expect(provider.open(request(abort.signal))).rejects.toMatchObject({ name: 'AbortError' });
    await vi.advanceTimersByTimeAsync(10);
    abort.abort();
    await opened;
    expect(provider.concurrency.active).toBe(0);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(scripted.requests).toHaveLength(1);
  });
});

describe('the breaker', () => {
  const limits = { retries: 0, failures: 2, openMs: 10_000 };

  it('opens after failures in a row, refuses at once, and closes after a trial', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { provider, scripted, registry } = guarded({ acts: [AWAY, AWAY], limits });
    for (const _ of [1, 2]) await expect(ask(provider)).rejects.toBe(AWAY);
    expect(provider.breakerState).toBe('open');
    vi.advanceTimersByTime(4000);
    await expect(ask(provider)).rejects.toMatchObject({ code: 'provider_unavailable', retryAfterMs: 6000 });
    expect(scripted.requests).toHaveLength(2);
    expect(await registry.metrics()).toContain(
      'streamgate_provider_calls_total{provider="first",outcome="refused"} 1',
    );
    expect(await registry.metrics()).toContain(
      'streamgate_provider_breaker_state{provider="first",state="open"} 1',
    );
    vi.advanceTimersByTime(6000);
    expect(await ask(provider)).toEqual([WORD, FINISH]);
    expect(provider.breakerState).toBe('closed');
  });

  it('lets one trial through and refuses the others meanwhile; a failed trial opens it again', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { provider, scripted } = guarded({ acts: [AWAY, AWAY, 'stall'], limits });
    for (const _ of [1, 2]) await expect(ask(provider)).rejects.toBe(AWAY);
    vi.advanceTimersByTime(10_000);
    const abort = new AbortController();
    const trial = expect(provider.open(request(abort.signal))).rejects.toMatchObject({
      message: 'still away',
    });
    await vi.waitFor(() => expect(scripted.requests).toHaveLength(3));
    expect(provider.breakerState).toBe('half-open');
    await expect(ask(provider)).rejects.toMatchObject({ code: 'provider_unavailable' });
    expect(scripted.requests).toHaveLength(3);
    abort.abort(new DomainError('provider_timeout', 'still away'));
    await trial;
    await vi.waitFor(() => expect(provider.breakerState).toBe('open'));
  });

  it('stays open when the trial is cancelled: nothing was shown', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { provider, scripted } = guarded({ acts: [AWAY, AWAY, 'stall'], limits });
    for (const _ of [1, 2]) await expect(ask(provider)).rejects.toBe(AWAY);
    vi.advanceTimersByTime(10_000);
    const abort = new AbortController();
    const trial = expect(provider.open(request(abort.signal))).rejects.toMatchObject({ name: 'AbortError' });
    await vi.waitFor(() => expect(provider.breakerState).toBe('half-open'));
    abort.abort();
    await trial;
    await vi.waitFor(() => expect(provider.breakerState).toBe('open'));
    expect(provider.concurrency.active).toBe(0);
    vi.advanceTimersByTime(10_000);
    expect(await ask(provider)).toEqual([WORD, FINISH]);
    expect([provider.breakerState, scripted.requests.length]).toEqual(['closed', 4]);
  });

  it('counts neither refused requests nor cancels', async () => {
    const { provider } = guarded({ acts: [WRONG, WRONG, WRONG, 'stall', 'stall', 'stall'], limits });
    for (const _ of [1, 2, 3]) await expect(ask(provider)).rejects.toBe(WRONG);
    for (const _ of [1, 2, 3]) {
      const abort = new AbortController();
      const opened = expect(provider.open(request(abort.signal))).rejects.toMatchObject({
        name: 'AbortError',
      });
      abort.abort();
      await opened;
    }
    expect(provider.breakerState).toBe('closed');
  });
});

describe('the concurrency limit', () => {
  it('counts a call to the end of its answer, then lets the next one in; too many waiting calls are refused (P7)', async () => {
    const { provider, scripted } = guarded({ limits: { maxConcurrent: 1 } });
    const first = await provider.open(request());
    const waiting = Array.from({ length: 4 }, () => ask(provider));
    await expect(ask(provider)).rejects.toMatchObject({ code: 'provider_unavailable', retryAfterMs: 2000 });
    expect([provider.concurrency.active, provider.concurrency.waiting, scripted.requests.length]).toEqual([
      1, 4, 1,
    ]);
    await read(first);
    for (const answer of waiting) expect(await answer).toEqual([WORD, FINISH]);
    await vi.waitFor(() => expect(provider.concurrency.active).toBe(0));
  });

  it('lets a call wait for 30 s at most', async () => {
    vi.useFakeTimers();
    const { provider, scripted } = guarded({ limits: { maxConcurrent: 1, firstTokenTimeoutMs: 300_000 } });
    await provider.open(request());
    const late = ask(provider);
    const refused = expect(late).rejects.toMatchObject({ code: 'provider_unavailable', retryAfterMs: 2000 });
    await vi.advanceTimersByTimeAsync(29_999);
    expect(provider.concurrency.waiting).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    await refused;
    expect([provider.concurrency.waiting, scripted.requests.length]).toEqual([0, 1]);
  });

  it('forgets a waiting call that was cancelled, and takes others in its stead at once (P7)', async () => {
    const { provider } = guarded({ limits: { maxConcurrent: 1 } });
    const first = await provider.open(request());
    const leaving = new AbortController();
    const left = Array.from({ length: 4 }, () => provider.open(request(leaving.signal)));
    leaving.abort();
    for (const one of left) await expect(one).rejects.toMatchObject({ name: 'AbortError' });
    const waiting = Array.from({ length: 4 }, () => ask(provider));
    await read(first);
    for (const answer of waiting) expect(await answer).toEqual([WORD, FINISH]);
  });

  it('is released by a call that is cancelled the moment its turn comes', async () => {
    const { provider, scripted } = guarded({ limits: { maxConcurrent: 1 } });
    const [holder, waiter] = [new AbortController(), new AbortController()];
    await provider.open(request(holder.signal));
    const waiting = expect(provider.open(request(waiter.signal))).rejects.toMatchObject({
      name: 'AbortError',
    });
    holder.abort();
    waiter.abort();
    await waiting;
    expect([provider.concurrency.active, scripted.requests.length]).toEqual([0, 1]);
  });

  it('is released by a reader that leaves, by a cut and by a cancel; a cancel ends a wait', async () => {
    const { provider } = guarded({ acts: ['answer', 'cut'], limits: { maxConcurrent: 1 } });
    for await (const _ of await provider.open(request())) break;
    await vi.waitFor(() => expect(provider.concurrency.active).toBe(0));
    await expect(ask(provider)).rejects.toBe(AWAY);
    const [holder, waiter] = [new AbortController(), new AbortController()];
    await provider.open(request(holder.signal));
    const waiting = expect(provider.open(request(waiter.signal))).rejects.toMatchObject({
      name: 'AbortError',
    });
    waiter.abort();
    await waiting;
    holder.abort();
    await vi.waitFor(() =>
      expect([provider.concurrency.active, provider.concurrency.waiting]).toEqual([0, 0]),
    );
    expect(await ask(provider)).toEqual([WORD, FINISH]);
  });
});

describe('the fallback', () => {
  function source(setup: Setup, other: Act[] = []) {
    const { provider, metrics, registry } = guarded(setup);
    const second = new GuardedProvider(new Scripted('second', other), { ...LIMITS, retries: 0 }, metrics);
    const answers = new ProviderCall({ provider, model: 'm' }, { provider: second, model: 'm' }, metrics);
    const open = (mayFallBack = true) =>
      answers.open({ messages: [], signal: new AbortController().signal }, mayFallBack);
    return { open, registry };
  }

  it('answers when the first has failed for good, and is marked as the fallback', async () => {
    const { open, registry } = source({ acts: [AWAY, AWAY, AWAY] });
    expect(await open()).toMatchObject({ provider: 'second', usedFallback: true });
    expect(await registry.metrics()).toContain('streamgate_provider_fallbacks_total{provider="first"} 1');
  });

  it('is not called while the first answers, nor where it is not allowed', async () => {
    expect(await source({ acts: [AWAY] }).open()).toMatchObject({ provider: 'first', usedFallback: false });
    await expect(source({ acts: [AWAY, AWAY, AWAY] }).open(false)).rejects.toBe(AWAY);
  });

  it('that fails too leaves the failure of the first', async () => {
    await expect(source({ acts: [WRONG] }, [AWAY]).open()).rejects.toBe(WRONG);
  });
});
