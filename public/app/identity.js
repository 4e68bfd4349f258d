import { Emitter } from './emitter.js';
import { callApi } from './http.js';
import { randomId } from './ids.js';
import { keep, recall } from './storage.js';

const RENEW_BEFORE_MS = 24 * 60 * 60 * 1000;

/** Who this browser is: a guest that signs in by itself and stays the same over reloads. */
export class Identity extends Emitter {
  #guest = recall('guest');

  constructor() {
    super();
    this.deviceId = recall('device') ?? randomId();
    keep('device', this.deviceId);
    // Another tab may have signed in, or changed the name.
    window.addEventListener('storage', ({ key }) => {
      if (key !== 'streamgate.guest') return;
      this.#guest = recall('guest');
      this.emit('change');
    });
  }

  /** null before the first sign-in. */
  get userId() {
    return this.#guest?.userId ?? null;
  }

  get name() {
    return this.#guest?.name ?? '';
  }

  /** A token that is good for a while; signs in or renews where needed. @throws {Failure} */
  async token() {
    if (this.#fresh()) return this.#guest.token;
    return this.#alone(async () => (this.#fresh() ? this.#guest.token : this.#signIn(this.name)));
  }

  /** A new token, since the server refused the present one. @throws {Failure} */
  renew() {
    const refused = this.#guest?.token;
    return this.#alone(async () => {
      // Another tab was quicker.
      if (this.#guest && this.#guest.token !== refused) return this.#guest.token;
      return this.#signIn(this.name);
    });
  }

  /** Takes another display name; it counts from the next connection on. @throws {Failure} */
  rename(name) {
    return this.#alone(() => this.#signIn(name));
  }

  #fresh() {
    if (!this.#guest) return false;
    const left = Date.parse(this.#guest.expiresAt) - Date.now();
    const life = Date.parse(this.#guest.expiresAt) - this.#guest.since;
    return left > Math.min(RENEW_BEFORE_MS, life / 10);
  }

  async #signIn(name) {
    const answer = await this.#request(name, this.#guest?.token);
    this.#guest = { ...answer, name, since: Date.now() };
    keep('guest', this.#guest);
    this.emit('change');
    return answer.token;
  }

  async #request(name, token) {
    const body = name ? { name } : {};
    try {
      return await callApi('POST', '/auth/guest', { body, token });
    } catch (failure) {
      // The old token cannot be renewed any more (another secret, too old): be somebody new.
      if (!token || !['unauthenticated', 'token_expired'].includes(failure.code)) throw failure;
      return callApi('POST', '/auth/guest', { body });
    }
  }

  /** One tab at a time, so that two tabs opened together become one guest, not two. */
  #alone(work) {
    if (!navigator.locks) return work();
    return navigator.locks.request('streamgate.guest', () => {
      this.#guest = recall('guest');
      return work();
    });
  }
}
