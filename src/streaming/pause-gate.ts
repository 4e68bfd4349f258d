import { EventEmitter, once } from 'node:events';

/** Whether a stream is paused, as the database said; `version` counts pauses and resumes. */
export interface PauseState {
  paused: boolean;
  version: number;
}

/** What the owner knows of a stream's pause. Who writes waits before it while it is closed. */
export class PauseGate {
  private readonly changes = new EventEmitter();

  constructor(private state: PauseState) {}

  get paused(): boolean {
    return this.state.paused;
  }

  get version(): number {
    return this.state.version;
  }

  /** Takes what was heard; false where that is nothing new, because it came late or twice. */
  hear(state: PauseState): boolean {
    if (state.version <= this.state.version) return false;
    const changed = state.paused !== this.state.paused;
    this.state = state;
    if (!state.paused) this.changes.emit('open');
    return changed;
  }

  /** Resolves while the stream is not paused. Rejects when `signal` is aborted. */
  async opened(signal: AbortSignal): Promise<void> {
    while (this.paused) await once(this.changes, 'open', { signal });
  }
}
