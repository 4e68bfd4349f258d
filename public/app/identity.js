import { Emitter } from './emitter.js';
import { Failure } from './failure.js';
import { callApi } from './http.js';
import { randomId } from './ids.js';
import { forgetInTab, isText, keep, keepInTab, recall, recallInTab } from './storage.js';

const RENEW_BEFORE_MS = 24 * 60 * 60 * 1000;

const isGuest = (value) =>
  [value?.userId, value?.token, value?.expiresAt].every(isText) && typeof value.since === 'number';
/** Protocol section 3.2. */
const isDevice = (value) => isText(value) && /^[ -~]{1,128}$/u.test(value);

const REFUSED = {
  unauthenticated: 'The server does not accept this token, or it was revoked.',
  token_expired: 'The token has expired.',
};

/**
 * Who this browser is: a guest that signs in by itself and stays the same over reloads, or in a tab the user of a token that
 * was given to it.
 */
export class Identity extends Emitter {
  #guest = recall('guest', isGuest);
  /** A token that was given, in place of a guest's. */
  #given = recallInTab('token');

  /** @param token given with the address; null: none. */
  constructor(token) {
    super();
    if (token) this.take(token);
    this.deviceId = recall('device', isDevice) ?? randomId();
    keep('device', this.deviceId);
    // Another tab may have signed in, or changed the name.
    window.addEventListener('storage', ({ key }) => {
      if (key !== 'streamgate.guest') return;
      this.#guest = recall('guest', isGuest);
      this.emit('change');
    });
  }

  /** null before the first sign-in. */
  get userId() {
    return this.#given ? subjectOf(this.#given).sub : (this.#guest?.userId ?? null);
  }

  get name() {
    return (this.#given ? subjectOf(this.#given).name : this.#guest?.name) ?? '';
  }

  /** Whether this is a guest, who may take another name. */
  get isGuest() {
    return !this.#given;
  }

  /** Takes `token` for this tab, until it is closed. */
  take(token) {
    this.#given = token;
    keepInTab('token', token);
    this.emit('change');
  }

  /** Forgets a token that was given: a guest again. */
  forgetToken() {
    this.#given = null;
    forgetInTab('token');
    this.emit('change');
  }

  /** A token that is good for a while; signs in or renews where needed. @throws {Failure} */
  async token() {
    if (this.#given) return this.#given;
    if (this.#fresh()) return this.#guest.token;
    return this.#alone(async () => (this.#fresh() ? this.#guest.token : this.#signIn(this.name)));
  }

  /** A new token, since the server refused the present one with `code`. @throws {Failure} `sign_in`: a person must give one. */
  async renew(code) {
    if (this.#given) {
      this.forgetToken();
      throw new Failure({ code: 'sign_in', message: REFUSED[code] });
    }
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
      if (failure.code === 'forbidden') throw new Failure({ code: 'sign_in' });
      // The old token cannot be renewed any more (another secret, too old): be somebody new.
      if (!token || !['unauthenticated', 'token_expired'].includes(failure.code)) throw failure;
      return callApi('POST', '/auth/guest', { body });
    }
  }

  /** One tab at a time, so that two tabs opened together become one guest, not two. */
  #alone(work) {
    if (!navigator.locks) return work();
    return navigator.locks.request('streamgate.guest', () => {
      this.#guest = recall('guest', isGuest);
      return work();
    });
  }
}

/** What a token says of its user; nothing where it cannot be read. The server is who verifies it. */
function subjectOf(token) {
  try {
    const bytes = atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'));
    const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))));
    return { sub: claims.sub ?? null, name: claims.name };
  } catch {
    return { sub: null };
  }
}
