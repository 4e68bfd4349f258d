import { PacketType, type Packet } from 'socket.io-parser';
import type { Engine, EnginePacket } from './engine.js';
import { SHARED, SharedPacket, type SharedFields } from '../rooms/shared-fields.js';

/** engine.io's mark of a message. */
const MESSAGE = '4';

/**
 * Encodes packets by Socket.IO's protocol 5. This server sends nothing binary, so packets are not searched for it. Fields that
 * an ack shares with others are not encoded again.
 */
export class PacketEncoder {
  encode({ type, nsp, id, data }: Packet): (string | SharedPacket)[] {
    const namespace = nsp === '/' ? '' : `${nsp},`;
    const head = `${type}${namespace}${id ?? ''}`;
    if (data === undefined) return [head];
    const shared = type === PacketType.ACK ? sharedOf(data as AckArguments) : undefined;
    if (!shared) return [head + JSON.stringify(data)];
    // Every ack has at least `ok`.
    const own = JSON.stringify(data).slice(0, -'}]'.length);
    return [new SharedPacket(`${head}${own},`, shared.end)];
  }
}

/** The arguments of an ack's callback: one, or none. */
type AckArguments = readonly [{ [SHARED]?: SharedFields<object> }?];

function sharedOf([ack]: AckArguments): SharedFields<object> | undefined {
  return ack?.[SHARED];
}

/** Hands shared packets to a WebSocket as ready frames. */
export function frameShared(engine: Engine): void {
  engine.on('packetCreate', frame);
}

/** One function for all connections. */
function frame(this: Engine, packet: EnginePacket): void {
  if (packet.data instanceof SharedPacket && this.transport.name === 'websocket')
    packet.options.wsPreEncodedFrame = packet.data.frame(MESSAGE);
}
