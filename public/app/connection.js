import { io } from '/vendor/socket.io/socket.io.esm.min.js';
import { Emitter } from './emitter.js';
import { Failure, refusedHandshake, unreachable } from './failure.js';

const ANSWER_TIMEOUT_MS = 10_000;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** How long the server may take to answer when the page is seen again. */
const WAKE_TIMEOUT_MS = 3000;
/**
 * Polling first: it passes proxies that swallow WebSocket handshakes, and it says why a handshake is refused. Where polling
 * fails (several nodes without sticky sessions), the next try begins with a WebSocket.
 */
const ORDERS = [
  ['polling', 'websocket'],
  ['websocket', 'polling'],
];
const RENEWABLE = new Set(['token_expired', 'unauthenticated']);

/**
 * The Socket.IO connection, kept up for as long as the page lives.
 *
 * Emits `phase` with `{ phase, failure?, retryAt? }`, phase being `connecting`, `connected`, `waiting` (until retryAt),
 * `offline` or `refused`; and every event of the server under its own name, with `{ payload, ack }`.
 */
export class Connection extends Emitter {
  #identity;
  #socket;
  #timer;
  #failedTries = 0;
  #renewals = 0;
  /** What `connection:closing` said, until the disconnect that it announced. */
  #closing = null;
  #draining = false;

  constructor(identity) {
    super();
    this.#identity = identity;
    this.state = { phase: 'connecting' };
    this.#socket = this.#createSocket();
    window.addEventListener('online', () => this.retryNow());
    window.addEventListener('pageshow', ({ persisted }) => persisted && void this.#wake());
    document.addEventListener('visibilitychange', () => void this.#wake());
    window.addEventListener('offline', () => {
      if (this.state.phase === 'waiting') this.#wait();
    });
  }

  get connected() {
    return this.#socket.connected;
  }

  /** Connects, unless it is connected or connecting. */
  retryNow() {
    if (this.connected || this.state.phase === 'connecting') return;
    void this.#connect();
  }

  start() {
    void this.#connect();
  }

  /**
   * The page is seen again. While it was hidden or its machine slept, timers stood still, and the connection may have died
   * without a sign.
   */
  async #wake() {
    if (document.visibilityState !== 'visible') return;
    const { phase } = this.state;
    if (phase === 'waiting' || phase === 'offline') return this.retryNow();
    if (!this.connected) return;
    const { id } = this.#socket;
    const answers = await this.#socket
      .timeout(WAKE_TIMEOUT_MS)
      .emitWithAck('ping', {})
      .then(
        () => true,
        () => false,
      );
    if (answers || this.#socket.id !== id) return;
    // A WebSocket opens a connection of its own; polling would go over those of the browser, which may have died too.
    if (this.#socket.io.engine.transport.name === 'websocket') this.#begin(1);
    this.restart();
  }

  /** Begins the next tries by the transport at `order`. */
  #begin(order) {
    this.#order = order;
    this.#socket.io.opts.transports = ORDERS[order];
  }

  /** Connects anew: with the present token, so with the present name. */
  restart() {
    this.#socket.disconnect();
    void this.#connect();
  }

  /** Sends an event. @returns the answer without `ok`. @throws {Failure} `unreachable` where none came. */
  async request(event, payload) {
    if (!this.connected) throw unreachable();
    const answer = await this.#socket
      .timeout(ANSWER_TIMEOUT_MS)
      .emitWithAck(event, payload)
      .catch(() => {
        throw unreachable();
      });
    if (!answer?.ok) throw new Failure(answer?.error);
    return answer;
  }

  #createSocket() {
    const socket = io({
      path: '/api/ws/chat',
      // This class says when to try again: it knows the protocol's codes, and can tell a person how long it will wait.
      reconnection: false,
      autoConnect: false,
      transports: ORDERS[0],
      timeout: CONNECT_TIMEOUT_MS,
      auth: (give) => give({ token: this.#token, deviceId: this.#identity.deviceId, acks: true }),
    });
    socket.on('connect', () => this.#connected());
    socket.on('connect_error', (error) => this.#notConnected(error));
    socket.on('disconnect', (reason) => this.#disconnected(reason));
    socket.on('connection:closing', (error) => (this.#closing = new Failure(error)));
    socket.on('connection:draining', () => (this.#draining = true));
    socket.onAny((name, payload, ack) => this.emit(name, { payload, ack }));
    return socket;
  }

  #token = null;
  #order = 0;

  #notConnected(error) {
    const failure = error.data?.code ? new Failure(error.data) : refusedHandshake(error);
    if (failure.code === 'unreachable') this.#begin(1 - this.#order);
    this.#refused(failure);
  }

  async #connect() {
    clearTimeout(this.#timer);
    this.#enter({ phase: 'connecting' });
    try {
      this.#token = await this.#identity.token();
      this.#socket.connect();
    } catch (failure) {
      this.#refused(failure);
    }
  }

  #connected() {
    this.#failedTries = 0;
    this.#renewals = 0;
    this.#closing = null;
    this.#draining = false;
    this.#enter({ phase: 'connected' });
  }

  #disconnected(reason) {
    const closing = this.#closing;
    this.#closing = null;
    // Socket.IO also tells of the end of a connection that was refused before it was one.
    const isKnown = this.state.phase === 'refused' || this.state.phase === 'waiting';
    if (reason === 'io client disconnect' || isKnown) return;
    if (this.#draining) void this.#connect();
    else if (closing) this.#refused(closing);
    else if (reason === 'io server disconnect')
      this.#refused(new Failure({ message: 'The server ended the connection.' }));
    else this.#wait();
  }

  #refused(failure) {
    if (RENEWABLE.has(failure.code) && this.#renewals === 0) void this.#renew(failure.code);
    else if (!failure.retryable) this.#enter({ phase: 'refused', failure });
    else this.#wait(failure);
  }

  async #renew(code) {
    this.#renewals += 1;
    this.#enter({ phase: 'connecting' });
    try {
      this.#token = await this.#identity.renew(code);
      this.#socket.connect();
    } catch (failure) {
      this.#refused(failure);
    }
  }

  #wait(failure) {
    clearTimeout(this.#timer);
    if (!navigator.onLine) return this.#enter({ phase: 'offline' });
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#failedTries);
    this.#failedTries += 1;
    // Half of it random: a restarted server is not met by everybody at once.
    const delay = Math.max(longest * (0.5 + Math.random() / 2), failure?.retryAfterMs ?? 0);
    this.#timer = setTimeout(() => void this.#connect(), delay);
    return this.#enter({ phase: 'waiting', retryAt: Date.now() + delay, failure });
  }

  #enter(state) {
    this.state = state;
    this.emit('phase', state);
  }
}
