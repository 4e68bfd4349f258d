import type { Socket } from 'socket.io';
import type { Principal } from '../auth/principal.js';
import type { ErrorCode, ServerEvents } from '../protocol/index.js';
import { DomainError } from '../common/domain-error.js';
import { randomText } from '../common/ids.js';

/** How long a client may keep the transport of a connection that was closed for cause, in milliseconds. */
const FAREWELL_MS = 5000;

export interface Handshake {
  principal: Principal;
  deviceId: string;
  /** Whether the client acks what it receives. */
  acks: boolean;
}

/** One client's socket, and who is behind it. */
export class Connection {
  /** Conversations that this connection has joined, each with the `seq` behind which it hears everything live. */
  readonly joined = new Map<string, number>();
  /** Conversations in which this connection has typed, and not said that it stopped. */
  readonly typingIn = new Set<string>();
  readonly connectedAt = Date.now();
  /** When its client last sent an event, or connected; in milliseconds since 1970. */
  lastActivityAt = this.connectedAt;
  private who: Principal;
  readonly deviceId: string;
  readonly acks: boolean;

  constructor(
    readonly socket: Socket,
    { principal, deviceId, acks }: Handshake,
  ) {
    this.who = principal;
    this.deviceId = deviceId;
    this.acks = acks;
  }

  get id(): string {
    return this.socket.id;
  }

  /** As the latest token says. */
  get principal(): Principal {
    return this.who;
  }

  get userId(): string {
    return this.who.userId;
  }

  /** Goes on as `principal`, who must be the same user. */
  renew(principal: Principal): void {
    this.who = principal;
  }

  /** Sends an event that the protocol knows. */
  emit<K extends keyof ServerEvents>(event: K, payload: ServerEvents[K]): void {
    this.socket.emit(event, payload);
  }

  /** Closes for cause, and so that an unmodified client comes back by itself: the transport goes, once this is written. */
  sendHome(code: ErrorCode, message: string): void {
    this.emit('connection:closing', new DomainError(code, message).toWire(randomText(12)));
    this.socket.conn.close();
  }

  /**
   * Closes for cause, so that the client stays away until it has a new token (protocol section 4): the namespace, upon
   * which a client closes the transport by itself. From one that does not it is taken.
   */
  expel(code: ErrorCode, message: string): void {
    this.emit('connection:closing', new DomainError(code, message).toWire(randomText(12)));
    this.socket.disconnect();
    const { conn } = this.socket;
    const timer = setTimeout(() => conn.close(), FAREWELL_MS);
    conn.once('close', () => clearTimeout(timer));
  }
}
