import type { Socket } from 'socket.io';
import type { Principal } from '../../auth/principal.js';
import type { TokenUser } from '../../auth/revocations/revocation-list.js';
import type { ErrorCode, ServerEvents } from '../../protocol/index.js';
import { DomainError } from '../../common/domain-error.js';
import type { RequestContext } from '../../platform/tracing/request-context.js';

/** How long a client may keep the transport of a connection that was closed for cause, in milliseconds. */
const CLOSE_TIMEOUT_MS = 5000;

/** Stands for the `seq` in {@link Connection.joined} until a join has succeeded: behind it nothing was heard. */
export const JOINING = Number.MAX_SAFE_INTEGER;

export interface Handshake {
  principal: Principal;
  deviceId: string;
  /** Whether the client acks what it receives. */
  acks: boolean;
  /** The handshake's. */
  context: RequestContext;
  /** Where the client is, as far as `TRUST_PROXY` tells. */
  address: string;
  /** What the client says it is, shortened. */
  userAgent: string | undefined;
}

interface RetryAfter {
  retryAfterMs?: number | undefined;
}

/** One client's socket, and who is behind it. */
export class Connection implements TokenUser {
  /** Conversations that this connection has joined, each with the `seq` behind which it hears everything live, or {@link JOINING}. */
  readonly joined = new Map<string, number>();
  readonly connectedAt = Date.now();
  /** When its client last sent an event, or connected, by `performance.now()`: the machine's clock may be set meanwhile. */
  lastActivityAt = performance.now();
  /** Why the server closed it for cause; undefined otherwise. */
  closedFor: ErrorCode | undefined;
  private who: Principal;
  private typing: Set<string> | undefined;
  readonly deviceId: string;
  readonly acks: boolean;
  /** Its handshake's: under its id stands what the server says of the connection itself. */
  readonly context: RequestContext;
  readonly address: string;
  readonly userAgent: string | undefined;

  constructor(
    readonly socket: Socket,
    { principal, deviceId, acks, context, address, userAgent }: Handshake,
  ) {
    this.who = principal;
    this.deviceId = deviceId;
    this.acks = acks;
    this.context = context;
    this.address = address;
    this.userAgent = userAgent;
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

  /** Conversations in which this connection has typed, and not said that it stopped; most never do. */
  get typingIn(): Set<string> {
    return (this.typing ??= new Set());
  }

  /** What it goes over now: one that began with polling may become a WebSocket. */
  get transport(): 'websocket' | 'polling' {
    return this.socket.conn.transport.name === 'websocket' ? 'websocket' : 'polling';
  }

  /** Whether it has joined: not so while it is still asked whether its user is a member. */
  hasJoined(conversationId: string): boolean {
    return (this.joined.get(conversationId) ?? JOINING) !== JOINING;
  }

  /** Calls `act` when it has become a WebSocket; one that is has nothing to become. */
  onceUpgraded(act: () => void): void {
    if (this.transport === 'polling') this.socket.conn.once('upgrade', act);
  }

  /** Goes on as `principal`, who must be the same user. */
  renew(principal: Principal): void {
    this.who = principal;
  }

  /** Its token was revoked. */
  endRevoked(): void {
    this.closeForGood('unauthenticated', 'The token was revoked.');
  }

  /** Sends an event that the protocol knows. */
  emit<K extends keyof ServerEvents>(event: K, payload: ServerEvents[K]): void {
    this.socket.emit(event, payload);
  }

  /** Closes for cause, and so that an unmodified client comes back by itself: the transport goes, once this is written. */
  closeAndRetry(code: ErrorCode, message: string, { retryAfterMs }: RetryAfter = {}): void {
    this.closedFor = code;
    const options = retryAfterMs === undefined ? {} : { retryAfterMs };
    this.emit('connection:closing', new DomainError(code, message, options).toWire(this.context.id));
    this.socket.conn.close();
  }

  /**
   * Closes for cause, so that the client stays away until it has a new token (protocol section 4): the namespace, upon
   * which a client closes the transport by itself. From one that does not it is taken.
   */
  closeForGood(code: ErrorCode, message: string): void {
    this.closedFor = code;
    this.emit('connection:closing', new DomainError(code, message).toWire(this.context.id));
    this.socket.disconnect();
    const { conn } = this.socket;
    const timer = setTimeout(() => conn.close(), CLOSE_TIMEOUT_MS);
    conn.once('close', () => clearTimeout(timer));
  }
}
