import { Decoder, PacketType, type Packet } from 'socket.io-parser';
import { PacketEncoder } from './packet-encoder.js';

/** Replaces the payload of an event that was larger than `MAX_PAYLOAD_BYTES`. */
export const OVERSIZED = Symbol('oversized payload');

/** Replaces the payload of an event that was nested deeper than any event needs. */
export const TOO_DEEP = Symbol('payload nested too deep');

/** Encoding recurses, and 64 KB of brackets would overflow the stack. */
const MAX_DEPTH = 32;

/** How often a client may connect to a namespace on one transport: once, and again with another token after a refusal. */
const MAX_CONNECTS = 10;

/**
 * Returns a parser for Socket.IO that bounds packets before they reach a handler. An event of more than `maxBytes`, or
 * nested too deep, loses its payload but keeps its name and ack id, so that it can be acked. Binary packets, and too many
 * connects to namespaces, close the connection.
 */
export function boundedParser(maxBytes: number) {
  class BoundedDecoder extends Decoder {
    private tooLarge = false;
    private connects = 0;

    constructor() {
      super();
      // Socket.IO adds its listener after this one, and so receives the bounded packet.
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
