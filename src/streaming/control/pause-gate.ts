import { EventEmitter, once } from 'node:events';

/** Whether a stream is paused, as the database said; `version` counts pauses and resumes. */
export interface PauseState {
  paused: boolean;
  version: number;
}

/** What the owner knows of a stream's pause. Who writes waits before it while it is closed. */
export class PauseGate {
  private readonly changes = new EventEmitter();

  /** @param changed is called at each pause and resume that is heard of, whoever heard it. */
  constructor(
    private state: PauseState,
    private readonly changed: (paused: boolean) => void = () => {},
  ) {}

  get paused(): boolean {
    return this.state.paused;
  }

  get version(): number {
    return this.state.version;
  }

  /** Takes what was heard, unless that is old. */
  hear(state: PauseState): void {
    if (state.version <= this.state.version) return;
    this.state = { paused: state.paused, version: state.version };
    this.changed(state.paused);
    if (!state.paused) this.changes.emit('open');
  }

  /** Resolves while the stream is not paused. Rejects when `signal` is aborted. */
  async opened(signal: AbortSignal): Promise<void> {
    while (this.paused) await once(this.changes, 'open', { signal });
  }
}
