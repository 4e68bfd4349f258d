import type { Socket } from 'socket.io';

/** A packet of engine.io before it is written. */
export interface EnginePacket {
  type: string;
  /** Text: this protocol has no binary packets. */
  data?: string;
}

/** What of a `ws` WebSocket is used here. */
export interface WebSocketLike {
  /** Bytes that the network has not taken yet. */
  readonly bufferedAmount: number;
  send(text: string): void;
  terminate(): void;
  once(event: 'close', listener: () => void): unknown;
}

/** What of an engine.io socket is used here, as its version 6 has it. Long polling has no `socket`. */
interface Engine {
  readonly readyState: string;
  readonly transport: { readonly name: string; readonly socket?: WebSocketLike };
  on(event: 'flush', listener: () => void): unknown;
  on(event: 'packetCreate', listener: (packet: EnginePacket) => void): unknown;
  off(event: 'packetCreate', listener: (packet: EnginePacket) => void): unknown;
  /** With `discard`, without waiting for what is unsent. */
  close(discard: boolean): void;
}

/** The connection beneath a Socket.IO socket: its types leave out what tells how much is unsent. */
export function engineOf(socket: Socket): Engine {
  return socket.conn;
}
