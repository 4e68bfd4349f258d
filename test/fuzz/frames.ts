import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { SOCKET_PATH } from '../../src/protocol/index.js';
import { dial, requestBytes } from './bytes.js';

/** A WebSocket frame (RFC 6455, 5.2) that may be wrong in every way. */
export interface Frame {
  fin: boolean;
  /** The three reserved bits. */
  reserved: number;
  opcode: number;
  masked: boolean;
  payload: string | Uint8Array;
  /** Instead of the payload's own length. */
  declared?: number;
}

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** A good text frame. */
export function textFrame(payload: string): Frame {
  return { fin: true, reserved: 0, opcode: TEXT, masked: true, payload };
}

function bytesOf({ fin, reserved, opcode, masked, payload, declared }: Frame): Buffer {
  const data = Buffer.from(payload as string);
  const length = declared ?? data.length;
  const head = Buffer.from([(fin ? 0x80 : 0) | (reserved << 4) | opcode, masked ? 0x80 : 0]);
  let size = Buffer.alloc(0);
  if (length < 126) head[1]! |= length;
  else if (length < 65_536) {
    head[1]! |= 126;
    size = Buffer.alloc(2);
    size.writeUInt16BE(length);
  } else {
    head[1]! |= 127;
    size = Buffer.alloc(8);
    size.writeBigUInt64BE(BigInt(length));
  }
  const mask = randomBytes(4);
  if (masked) data.forEach((byte, index) => (data[index] = byte ^ mask[index % 4]!));
  return Buffer.concat([head, size, masked ? mask : Buffer.alloc(0), data]);
}

/** A WebSocket whose every byte is the test's own. */
export class RawWebSocket {
  /** Everything that came, handshake and frames, as Latin-1. */
  text = '';
  private look = (): void => {};

  private constructor(readonly socket: Socket) {
    socket.setEncoding('latin1').on('data', (data: string) => {
      this.text += data;
      this.look();
    });
    socket.on('close', () => this.look());
  }

  /** Opens one, and waits for the server's greeting. */
  static async open(url: string, headers: readonly [string, string][] = []): Promise<RawWebSocket> {
    const upgrade: [string, string][] = [
      ['Connection', 'Upgrade'],
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Version', '13'],
      ['Sec-WebSocket-Key', randomBytes(16).toString('base64')],
    ];
    const raw = new RawWebSocket(dial(url));
    const head = requestBytes(`GET ${SOCKET_PATH}/?EIO=4&transport=websocket`, [...upgrade, ...headers]);
    raw.socket.write(head.toString('latin1').replace('Connection: close\r\n', ''));
    await raw.until(/"maxPayload"/);
    return raw;
  }

  /** Whether the server said goodbye, or has gone. */
  get isClosing(): boolean {
    return this.socket.closed || this.text.includes(String.fromCharCode(0x80 | CLOSE));
  }

  /** Joins the namespace, and waits for the server's answer; or for the end, where the handshake was not to be taken. */
  async connect(token: string): Promise<void> {
    this.send([textFrame(`40${JSON.stringify({ token })}`)]);
    await this.until(/connection:status/);
  }

  send(frames: readonly Frame[]): void {
    this.socket.write(Buffer.concat(frames.map(bytesOf)));
  }

  /** Waits until the server has taken all before, or closed. */
  async settle(): Promise<void> {
    const mark = randomBytes(8).toString('hex');
    this.send([{ ...textFrame(mark), opcode: PING }]);
    const pong = String.fromCharCode(0x80 | PONG, mark.length) + mark;
    // Who was sent a close frame is not answered any more.
    const close = String.fromCharCode(0x80 | CLOSE);
    await this.until(new RegExp(`${pong}|${close}`));
  }

  cut(): void {
    this.socket.destroy();
  }

  /** Waits for text, or that the connection is closed. @throws after 12 s. */
  private until(pattern: RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no ${pattern.source} in ${this.text.slice(-300)}`)),
        12_000,
      );
      this.look = () => {
        if (!this.socket.closed && !pattern.test(this.text)) return;
        clearTimeout(timer);
        resolve();
      };
      this.look();
    });
  }
}
