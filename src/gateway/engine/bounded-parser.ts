import { Decoder, PacketType, type Packet } from 'socket.io-parser';
import { PacketEncoder } from './packet-encoder.js';

/** Stands where the payload of an event stood that was larger than `MAX_PAYLOAD_BYTES`. */
export const OVERSIZED = Symbol('oversized payload');

/** Stands where the payload of an event stood that was nested deeper than any event needs. */
export const TOO_DEEP = Symbol('payload nested too deep');

/** Encoding recurses: what is answered or passed on must not be as deep as 64 KB of brackets are. */
const MAX_DEPTH = 32;

/** How often a client may ask for a namespace on one transport: once, and again with another token after a refusal. Each is answered. */
const MAX_CONNECTS = 10;

/**
 * A parser for Socket.IO that measures packets before they reach a handler: an event of more than `maxBytes`, or nested
 * too deep, keeps its name and its acknowledgement, so that it can be answered, and loses its payload. Binary packets
 * are refused, and who asks for namespaces without end: the connection is closed.
 */
export function boundedParser(maxBytes: number) {
  class BoundedDecoder extends Decoder {
    private tooLarge = false;
    private connects = 0;

    constructor() {
      super();
      // Socket.IO's own listener comes behind this one, and finds the packet bounded.
      this.on('decoded', (packet: Packet) => this.bound(packet));
    }

    override add(data: unknown): void {
      if (typeof data !== 'string' || isBinaryHeader(data))
        throw new Error('binary packets are not accepted');
      this.tooLarge = data.length > maxBytes || Buffer.byteLength(data) > maxBytes;
      super.add(data);
    }

    private bound(packet: Packet): void {
      if (packet.type === PacketType.CONNECT && ++this.connects > MAX_CONNECTS)
        throw new Error('too many connects on one transport');
      if (packet.type !== PacketType.EVENT) return;
      const [name, ...payloads] = packet.data as unknown[];
      if (this.tooLarge) packet.data = [name, OVERSIZED];
      else if (!isShallow(payloads, MAX_DEPTH)) packet.data = [name, TOO_DEEP];
    }
  }
  return { Encoder: PacketEncoder, Decoder: BoundedDecoder };
}

function isBinaryHeader(data: string): boolean {
  const type = Number(data.charAt(0)) as PacketType;
  return type === PacketType.BINARY_EVENT || type === PacketType.BINARY_ACK;
}

function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((item) => isShallow(item, depth - 1));
}
