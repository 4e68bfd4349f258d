import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Socket } from 'socket.io';
import type { SharedPacket } from '../rooms/shared-fields.js';

/** A packet of engine.io before it is written. */
export interface EnginePacket {
  type: string;
  /** Text: this protocol has no binary packets. */
  data?: string | SharedPacket;
  /** The frame that a WebSocket is given as it is, where there is one. */
  options: { wsPreEncodedFrame?: Buffer[] };
}

/** What of a `ws` WebSocket is used here. */
export interface WebSocketLike {
  /** Bytes that the network has not taken yet. */
  readonly bufferedAmount: number;
  /** The network's stream below; engine.io looks at it too. Without it nothing is gathered, and nothing else is lost. */
  readonly _socket?: Duplex;
  send(text: string): void;
  terminate(): void;
  once(event: 'close', listener: () => void): unknown;
}

/** What carries a connection's packets. Long polling has no `socket`. */
export interface EngineTransport {
  readonly name: string;
  readonly socket?: WebSocketLike;
  /** While it is not, engine.io keeps packets in its own buffer. */
  writable: boolean;
  /** Makes engine.io write what it keeps. */
  emit(event: 'ready'): unknown;
  /** Long polling only: takes the body of a request. */
  onData?(body: string): void;
  /** Ends the connection. */
  onError?(reason: string): void;
}

/** What of an engine.io socket is used here, as its version 6 has it. */
export interface Engine {
  readonly readyState: string;
  readonly transport: EngineTransport;
  /** Packets that wait for the transport to be writable. */
  readonly writeBuffer: readonly EnginePacket[];
  on(event: 'packetCreate', listener: (this: Engine, packet: EnginePacket) => void): unknown;
  off(event: 'packetCreate', listener: (packet: EnginePacket) => void): unknown;
  /** With `discard`, without waiting for what is unsent. */
  close(discard: boolean): void;
}

/** The connection beneath a Socket.IO socket: its types leave out, or hide, what tells how much is unsent. */
export function engineOf({ conn }: Socket): Engine {
  return conn as object as Engine;
}

/**
 * Lets go of the request that a connection began with, its headers and its token: they would live as long as it does, and
 * be a tenth of it or, with cookies, half. Nothing reads them once the namespace is connected.
 */
export function forgetHandshake(socket: Socket): void {
  Object.assign(socket, { handshake: undefined });
  Object.assign(socket.conn, { request: undefined });
}

/** What of an engine.io server is used here. */
export interface EngineServer {
  /** Connections, also those that have no namespace yet. */
  readonly clientsCount: number;
  on(event: 'connection', listener: (engine: Engine) => void): unknown;
  use(middleware: unknown): unknown;
  /** Tells at once whether it would take `request`: by no number, or by that of its refusal. */
  verify(request: IncomingMessage, isUpgrade: boolean, done: (code?: number) => void): unknown;
}
