import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { SOCKET_PATH } from '../../src/protocol/index.js';

type Handler = (payload: string) => void;

export interface WireOptions {
  url: string;
  auth: object;
  /** Called with an event's name and its payload as JSON. */
  onEvent: (name: string, payload: string) => void;
  /** Called with what the server says when it lets the client in, as JSON. */
  onConnect?: (payload: string) => void;
  /** Called once, when the connection has ended, whoever ended it. */
  onEnd?: () => void;
}

const CONNECT_MS = 30_000;

/**
 * A Socket.IO client that costs next to nothing, so that a load generator does not become what is measured: Engine.IO
 * over a WebSocket of its own, payloads as JSON text, no reconnection. Its frames have a mask of zeros.
 */
export class WireClient {
  private readonly acks = new Map<number, Handler>();
  private lastId = 0;
  private rest: Buffer = Buffer.alloc(0);
  private upgraded = false;
  private ready: { resolve: () => void; reject: (error: Error) => void } | undefined;
  /** Why the connection ended; undefined while it lives. */
  ended: string | undefined;

  private constructor(
    private readonly socket: Socket,
    private readonly options: WireOptions,
  ) {
    socket.setNoDelay(true);
    socket.on('data', (data) => this.read(data));
    socket.on('error', (error) => this.end(error.message));
    socket.on('close', () => this.end('closed by the server'));
  }

  static async open(options: WireOptions): Promise<WireClient> {
    const { hostname, port } = new URL(options.url);
    const client = new WireClient(connect({ host: hostname, port: Number(port) }), options);
    await client.connected(hostname);
    return client;
  }

  /** Emits `event` with a payload as JSON; `onAck` gets the answer as JSON. */
  emit(event: string, payload: string, onAck?: Handler): void {
    if (this.ended !== undefined) throw new Error(`the connection has ended: ${this.ended}`);
    let id = '';
    if (onAck) {
      this.lastId += 1;
      this.acks.set(this.lastId, onAck);
      id = String(this.lastId);
    }
    this.write(`42${id}["${event}",${payload}]`);
  }

  /** @throws where the answer is not `ok`. */
  async ask<T>(event: string, payload: object): Promise<T> {
    return JSON.parse(await this.askText(event, payload)) as T;
  }

  /** As {@link ask}; the answer as JSON. */
  askText(event: string, payload: object): Promise<string> {
    return new Promise((resolve, reject) => {
      this.emit(event, JSON.stringify(payload), (text) => {
        if (text.startsWith('{"ok":false')) reject(new Error(`${event}: ${text}`));
        else resolve(text);
      });
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private connected(host: string): Promise<void> {
    const key = randomBytes(16).toString('base64');
    this.socket.write(
      `GET ${SOCKET_PATH}/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\n` +
        `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    );
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.end('the connection was not made in time'), CONNECT_MS);
      this.ready = {
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
    });
  }

  private end(why: string): void {
    if (this.ended !== undefined) return;
    this.ended = why;
    this.options.onEnd?.();
    this.ready?.reject(new Error(why));
    this.ready = undefined;
    this.socket.destroy();
  }

  private read(data: Buffer): void {
    let bytes = this.rest.length > 0 ? Buffer.concat([this.rest, data]) : data;
    if (!this.upgraded) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end === -1) return void (this.rest = bytes);
      const status = bytes.toString('latin1', 9, 12);
      if (status !== '101') return this.end(`the server answered ${status}`);
      this.upgraded = true;
      bytes = bytes.subarray(end + 4);
    }
    this.rest = bytes.subarray(this.readFrames(bytes));
  }

  /** @returns how many bytes were whole frames. */
  private readFrames(bytes: Buffer): number {
    let at = 0;
    while (bytes.length - at >= 2) {
      let length = (bytes[at + 1] as number) & 0x7f;
      let start = at + 2;
      if (length === 126) {
        if (bytes.length < at + 4) break;
        length = bytes.readUInt16BE(at + 2);
        start = at + 4;
      } else if (length === 127) {
        if (bytes.length < at + 10) break;
        length = Number(bytes.readBigUInt64BE(at + 2));
        start = at + 10;
      }
      if (bytes.length < start + length) break;
      const opcode = (bytes[at] as number) & 0x0f;
      if (opcode === 8) this.end('the server closed the connection');
      else if (length > 0) this.hear(bytes, start, start + length);
      at = start + length;
    }
    return at;
  }

  private hear(bytes: Buffer, start: number, end: number): void {
    const text = bytes.toString('utf8', start, end);
    if (text.startsWith('42')) {
      const bracket = text.indexOf('[');
      const comma = text.indexOf(',', bracket);
      const name = text.slice(bracket + 2, (comma === -1 ? text.length - 1 : comma) - 1);
      this.options.onEvent(name, comma === -1 ? '' : text.slice(comma + 1, -1));
      if (bracket > 2) this.write(`43${text.slice(2, bracket)}[]`); // An ack is asked for.
    } else if (text.startsWith('43')) {
      const bracket = text.indexOf('[');
      const id = Number(text.slice(2, bracket));
      const handler = this.acks.get(id);
      this.acks.delete(id);
      handler?.(text.slice(bracket + 1, -1));
    } else if (text === '2') {
      this.write('3');
    } else if (text.startsWith('40')) {
      this.options.onConnect?.(text.slice(2));
      this.ready?.resolve();
      this.ready = undefined;
    } else if (text.startsWith('44')) {
      this.end(`refused: ${text.slice(2)}`);
    } else if (text.startsWith('0')) {
      this.write(`40${JSON.stringify(this.options.auth)}`);
    }
  }

  private write(text: string): void {
    const length = Buffer.byteLength(text);
    const header = length < 126 ? 6 : 8;
    const frame = Buffer.allocUnsafe(header + length);
    frame[0] = 0x81;
    if (length < 126) {
      frame[1] = 0x80 | length;
    } else {
      frame[1] = 0x80 | 126;
      frame.writeUInt16BE(length, 2);
    }
    frame.writeUInt32BE(0, header - 4);
    frame.write(text, header);
    this.socket.write(frame);
  }
}
