import type { Socket } from 'socket.io';
import type { Principal } from '../auth/principal.js';
import type { ErrorCode, ServerEvents } from '../protocol/index.js';
import { DomainError } from '../common/domain-error.js';
import { randomText } from '../common/ids.js';

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
  readonly principal: Principal;
  readonly deviceId: string;
  readonly acks: boolean;

  constructor(
    readonly socket: Socket,
    { principal, deviceId, acks }: Handshake,
  ) {
    this.principal = principal;
    this.deviceId = deviceId;
    this.acks = acks;
  }

  get id(): string {
    return this.socket.id;
  }

  get userId(): string {
    return this.principal.userId;
  }

  /** Sends an event that the protocol knows. */
  emit<K extends keyof ServerEvents>(event: K, payload: ServerEvents[K]): void {
    this.socket.emit(event, payload);
  }

  /** Closes for cause, so that the client stays away until it has a new token (protocol section 4). */
  expel(code: ErrorCode, message: string): void {
    this.emit('connection:closing', new DomainError(code, message).toWire(randomText(12)));
    this.socket.disconnect();
  }
}
