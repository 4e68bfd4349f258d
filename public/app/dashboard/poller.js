import { callApi } from '../http.js';

const EVERY_MS = 1000;
const LONGEST_WAIT_MS = 15_000;

/** Asks for the figures once a second while somebody looks; waits longer and longer while they cannot be had. */
export class Poller {
  #timer;
  #token = null;
  #failures = 0;
  #asking = false;

  /** @param on called with `figures(answer)`, `failed(failure, waitMs)` or `refused(failure)`, after which it rests. */
  constructor(on) {
    this.on = on;
    document.addEventListener('visibilitychange', () => this.#wake());
    addEventListener('online', () => this.#wake());
  }

  start(token) {
    this.#token = token;
    this.#failures = 0;
    this.#wake();
  }

  stop() {
    this.#token = null;
    clearTimeout(this.#timer);
  }

  #wake() {
    clearTimeout(this.#timer);
    if (this.#token !== null && !document.hidden && !this.#asking) void this.#ask(this.#token);
  }

  async #ask(token) {
    const begunAt = performance.now();
    this.#asking = true;
    let wait = 0;
    try {
      const figures = await callApi('GET', '/ws/dashboard', { token });
      if (token !== this.#token) return;
      this.#failures = 0;
      wait = Math.max(0, EVERY_MS - (performance.now() - begunAt));
      this.on.figures(figures);
    } catch (failure) {
      if (token !== this.#token) return;
      if (['unauthenticated', 'token_expired', 'forbidden'].includes(failure.code)) {
        this.stop();
        this.on.refused(failure);
        return;
      }
      wait = Math.max(Math.min(EVERY_MS * 2 ** this.#failures, LONGEST_WAIT_MS), failure.retryAfterMs ?? 0);
      this.#failures += 1;
      this.on.failed(failure, wait);
    } finally {
      this.#asking = false;
      if (this.#token !== null)
        this.#timer = setTimeout(() => this.#wake(), token === this.#token ? wait : 0);
    }
  }
}
