import type { Socket } from 'socket.io';
import type { Principal } from '../../auth/principal.js';
import type { TokenUser } from '../../auth/revocations/revocation-list.js';
import type { ServerEvents, WireError } from '../../protocol/index.js';
import { DomainError } from '../../common/domain-error.js';
import type { RequestContext } from '../../platform/tracing/request-context.js';
import { DISCONNECTS, type DisconnectCode } from './disconnects.js';

/** How long a client may keep the transport after its namespace was closed, in milliseconds. */
const CLOSE_TIMEOUT_MS = 5000;

/** The `seq` in {@link Connection.joined} until a join has succeeded: greater than any, so nothing is received after it. */
export const JOINING = Number.MAX_SAFE_INTEGER;

export interface Handshake {
  principal: Principal;
  deviceId: string;
  /** Whether the client acks what it receives. */
  acks: boolean;
  context: RequestContext;
  /** The client's address, as far as `TRUST_PROXY` allows to tell. */
  address: string;
  /** The client's `User-Agent`, shortened. */
  userAgent: string | undefined;
}

/** One client's socket, with its user and what the gateway keeps for it. */
export class Connection implements TokenUser {
  /** Joined conversations, each with the `seq` after which the connection receives everything live, or {@link JOINING}. */
  readonly joined = new Map<string, number>();
  readonly connectedAt = Date.now();
  /** When the client last sent an event, or connected, by `performance.now()`, which no change of the clock affects. */
  lastActivityAt = performance.now();
  /** Why the server closed it; undefined while it is open, and where the client or the network ended it. */
  closedFor: DisconnectCode | undefined;
  private currentPrincipal: Principal;
  private typingConversations: Set<string> | undefined;
  readonly deviceId: string;
  readonly acks: boolean;
  /** The context of the handshake. Its id is the correlation id of messages about the connection itself. */
  readonly context: RequestContext;
  readonly address: string;
  readonly userAgent: string | undefined;

  constructor(
    readonly socket: Socket,
    { principal, deviceId, acks, context, address, userAgent }: Handshake,
  ) {
    this.currentPrincipal = principal;
    this.deviceId = deviceId;
    this.acks = acks;
    this.context = context;
    this.address = address;
    this.userAgent = userAgent;
  }

  get id(): string {
    return this.socket.id;
  }

  /** The user by the latest token. */
  get principal(): Principal {
    return this.currentPrincipal;
  }

  get userId(): string {
    return this.currentPrincipal.userId;
  }

  /** Conversations in which the client started typing and has not stopped. Created on demand: most never type. */
  get typingIn(): Set<string> {
    return (this.typingConversations ??= new Set());
  }

  /** The present transport: a connection that began with polling may be upgraded. */
  get transport(): 'websocket' | 'polling' {
    return this.socket.conn.transport.name === 'websocket' ? 'websocket' : 'polling';
  }

  /** Whether the join has succeeded: false while the membership is still looked up. */
  hasJoined(conversationId: string): boolean {
    return (this.joined.get(conversationId) ?? JOINING) !== JOINING;
  }

  /** Calls `act` on the upgrade from polling to WebSocket; never for one that began as a WebSocket. */
  onceUpgraded(act: () => void): void {
    if (this.transport === 'polling') this.socket.conn.once('upgrade', act);
  }

  /** Replaces the principal by that of a new token of the same user. */
  renew(principal: Principal): void {
    this.currentPrincipal = principal;
  }

  endRevoked(): void {
    this.close('unauthenticated');
  }

  /** Sends a server event (protocol section 4.3). */
  emit<K extends keyof ServerEvents>(event: K, payload: ServerEvents[K]): void {
    this.socket.emit(event, payload);
  }

  /** Sends `connection:closing` and closes, as {@link DISCONNECTS} says for `code`. */
  close(code: DisconnectCode, retryAfterMs?: number): void {
    this.emit('connection:closing', this.closing(code, retryAfterMs));
    if (DISCONNECTS[code].reconnect) this.socket.conn.close();
    else this.closeForGood();
  }

  /** Records why the server closes the connection. @returns the payload of `connection:closing`. */
  closing(code: DisconnectCode, retryAfterMs?: number): WireError {
    this.closedFor = code;
    const { message, reconnect: retryable } = DISCONNECTS[code];
    const options = { retryable, ...(retryAfterMs !== undefined && { retryAfterMs }) };
    return new DomainError(code, message, options).toWire(this.context.id);
  }

  /** Closes the namespace, after which a client closes the transport by itself. If it does not, the server does. */
  private closeForGood(): void {
    this.socket.disconnect();
    const { conn } = this.socket;
    const timer = setTimeout(() => conn.close(), CLOSE_TIMEOUT_MS);
    conn.once('close', () => clearTimeout(timer));
  }
}
