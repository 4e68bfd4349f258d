import { EventEmitter, once } from 'node:events';
import type { PauseState } from '../log/stream.rows.js';

/** The owner's knowledge of a stream's pause. Writers wait at the gate while it is closed. */
export class PauseGate {
  private readonly changes = new EventEmitter();

  /** @param onChange called at each pause and resume that is applied, wherever it came from. */
  constructor(
    private state: PauseState,
    private readonly onChange: (paused: boolean) => void = () => {},
  ) {}

  get paused(): boolean {
    return this.state.paused;
  }

  get version(): number {
    return this.state.version;
  }

  /** Applies a state, unless a newer or the same one was applied before. */
  apply(state: PauseState): void {
    if (state.version <= this.state.version) return;
    this.state = { paused: state.paused, version: state.version };
    this.onChange(state.paused);
    if (!state.paused) this.changes.emit('open');
  }

  /** Resolves once the stream is not paused. @throws an `AbortError` when `signal` is aborted. */
  async opened(signal: AbortSignal): Promise<void> {
    while (this.paused) await once(this.changes, 'open', { signal });
  }
}
