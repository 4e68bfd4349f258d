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
  /** The encoded frame that a WebSocket sends as it is, if there is one. */
  options: { wsPreEncodedFrame?: Buffer[] };
}

/** The parts of a `ws` WebSocket that are used here. */
export interface WebSocketLike {
  /** Bytes that are not written to the network yet. */
  readonly bufferedAmount: number;
  /** The underlying network stream; engine.io uses it too. Without it writes are not combined; nothing else changes. */
  readonly _socket?: Duplex;
  send(text: string): void;
  terminate(): void;
  once(event: 'close', listener: () => void): unknown;
}

/** The transport of a connection. Long polling has no `socket`. */
export interface EngineTransport {
  readonly name: string;
  readonly socket?: WebSocketLike;
  /** While false, engine.io keeps packets in its own buffer. */
  writable: boolean;
  /** Makes engine.io write the packets it keeps. */
  emit(event: 'ready'): unknown;
  /** Long polling only: receives the body of a request. */
  onData?(body: string): void;
  /** Ends the connection. */
  onError?(reason: string): void;
}

/** The parts of an engine.io socket (version 6) that are used here. */
export interface Engine {
  readonly readyState: string;
  readonly transport: EngineTransport;
  /** Packets that wait for the transport to be writable. */
  readonly writeBuffer: readonly EnginePacket[];
  on(event: 'packetCreate', listener: (this: Engine, packet: EnginePacket) => void): unknown;
  off(event: 'packetCreate', listener: (packet: EnginePacket) => void): unknown;
  /** Closes the connection; with `discard`, without waiting for unsent data. */
  close(discard: boolean): void;
}

/** Returns the connection of a Socket.IO socket, with fields that its types omit: those that show how much is unsent. */
export function engineOf({ conn }: Socket): Engine {
  return conn as object as Engine;
}

/** Replaces every handshake after it was read. */
const READ_HANDSHAKE: Socket['handshake'] = Object.freeze({
  ...{ headers: Object.freeze({}), query: Object.freeze({}), auth: Object.freeze({}) },
  ...{ address: '', url: '', time: '', issued: 0, secure: false, xdomain: false },
});

/** Replaces the request of every connection. */
const READ_REQUEST = new IncomingMessage(new NetworkSocket());

/**
 * Replaces the handshake of a connected socket, and its request, by empty ones that all sockets share. Otherwise their
 * headers and token would live as long as the connection, and take a tenth of its memory; with cookies, half.
 */
export function forgetHandshake(socket: Socket): void {
  Object.assign(socket, { handshake: READ_HANDSHAKE });
  Object.assign(socket.conn, { request: READ_REQUEST });
}

/** The parts of an engine.io server that are used here. */
export interface EngineServer {
  /** Number of connections, also of those without a namespace. */
  readonly clientsCount: number;
  on(event: 'connection', listener: (engine: Engine) => void): unknown;
  use(middleware: unknown): unknown;
  /** Calls `done` synchronously: without a number if it accepts `request`, else with the number of the refusal. */
  verify(request: IncomingMessage, isUpgrade: boolean, done: (code?: number) => void): unknown;
}

/** Most packets in one polling request: more than an ordinary client collects between two requests. */
const MAX_PACKETS = 2000;
/** Separator of the packets in one body (engine.io's protocol 4). */
const SEPARATOR = '\x1e';

/**
 * Listener of engine.io's `connection` event. A polling request with more packets ends its connection before they are
 * decoded. engine.io would handle all that fit into a body at once, a hundred thousand, while all other connections
 * wait (P7).
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
