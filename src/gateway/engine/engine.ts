import { IncomingMessage } from 'node:http';
import { Socket as NetworkSocket } from 'node:net';
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

/** Takes the place of every handshake that was read. */
const READ_HANDSHAKE: Socket['handshake'] = Object.freeze({
  ...{ headers: Object.freeze({}), query: Object.freeze({}), auth: Object.freeze({}) },
  ...{ address: '', url: '', time: '', issued: 0, secure: false, xdomain: false },
});

/** Takes the place of every request that began a connection. */
const READ_REQUEST = new IncomingMessage(new NetworkSocket());

/**
 * Replaces the handshake of a connected socket, and its request, by empty ones that all sockets share. With their headers
 * and token they would live as long as the connection and be a tenth of its memory or, with cookies, half.
 */
export function forgetHandshake(socket: Socket): void {
  Object.assign(socket, { handshake: READ_HANDSHAKE });
  Object.assign(socket.conn, { request: READ_REQUEST });
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

/** Packets in one request of long polling: more than an ordinary client gathers between two requests. */
const MAX_PACKETS = 2000;
/** What engine.io's protocol 4 has between the packets of one body. */
const SEPARATOR = '\x1e';

/**
 * For engine.io's `connection`: a request of long polling with more packets ends its connection before they are decoded.
 * engine.io would take all that fit into a body at once, a hundred thousand, while everybody else waits (P7).
 */
export function boundPolling({ transport }: Engine): void {
  if (transport.name !== 'polling') return;
  const take = transport.onData?.bind(transport);
  transport.onData = (body) => {
    if (hasMoreThan(MAX_PACKETS, body)) transport.onError?.('too many packets in one request');
    else take?.(body);
  };
}

function hasMoreThan(max: number, body: string): boolean {
  let packets = 1;
  for (let at = body.indexOf(SEPARATOR); at >= 0; at = body.indexOf(SEPARATOR, at + 1)) {
    packets += 1;
    if (packets > max) return true;
  }
  return false;
}
