import { EventEmitter } from 'node:events';
import { Decoder, Encoder, PacketType, type Packet } from 'socket.io-parser';

/** Stands where the payload of an event stood that was larger than `MAX_PAYLOAD_BYTES`. */
export const OVERSIZED = Symbol('oversized payload');

/**
 * A parser for Socket.IO that measures packets before they reach a handler: an event of more than `maxBytes` keeps its
 * name and its acknowledgement, so that it can be answered, and loses its payload. Binary packets are refused: the
 * connection is closed.
 */
export function boundedParser(maxBytes: number) {
  class BoundedDecoder extends EventEmitter {
    private readonly inner = new Decoder();
    private tooLarge = false;

    constructor() {
      super();
      this.inner.on('decoded', (packet: Packet) => this.emit('decoded', this.bounded(packet)));
    }

    add(data: unknown): void {
      if (typeof data !== 'string' || isBinaryHeader(data))
        throw new Error('binary packets are not accepted');
      this.tooLarge = data.length > maxBytes || Buffer.byteLength(data) > maxBytes;
      this.inner.add(data);
    }

    destroy(): void {
      this.inner.destroy();
      this.removeAllListeners();
    }

    private bounded(packet: Packet): Packet {
      if (!this.tooLarge || packet.type !== PacketType.EVENT) return packet;
      const [name] = packet.data as unknown[];
      return { ...packet, data: [name, OVERSIZED] };
    }
  }
  return { Encoder, Decoder: BoundedDecoder };
}

function isBinaryHeader(data: string): boolean {
  const type = Number(data.charAt(0)) as PacketType;
  return type === PacketType.BINARY_EVENT || type === PacketType.BINARY_ACK;
}
