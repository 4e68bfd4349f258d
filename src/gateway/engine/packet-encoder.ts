import { PacketType, type Packet } from 'socket.io-parser';
import type { Engine, EnginePacket } from './engine.js';
import { SHARED, SharedPacket, type SharedFields } from '../rooms/shared-fields.js';

/** engine.io's mark of a message. */
const MESSAGE = '4';

/**
 * Encodes packets as Socket.IO's protocol 5 says. Nothing that this server sends is binary, so nothing is searched for it; what
 * an acknowledgement's answer holds in common with others is not encoded again.
 */
export class PacketEncoder {
  encode({ type, nsp, id, data }: Packet): (string | SharedPacket)[] {
    const namespace = nsp === '/' ? '' : `${nsp},`;
    const head = `${type}${namespace}${id ?? ''}`;
    if (data === undefined) return [head];
    const shared = type === PacketType.ACK ? sharedOf(data as Answers) : undefined;
    if (!shared) return [head + JSON.stringify(data)];
    // Every answer says at least whether it is ok.
    const own = JSON.stringify(data).slice(0, -'}]'.length);
    return [new SharedPacket(`${head}${own},`, shared.end)];
  }
}

/** What an acknowledgement gives its client: the one answer, or nothing. */
type Answers = readonly [{ [SHARED]?: SharedFields<object> }?];

function sharedOf([answer]: Answers): SharedFields<object> | undefined {
  return answer?.[SHARED];
}

/** From now on a WebSocket is given the bytes of shared packets as they were made. */
export function frameShared(engine: Engine): void {
  engine.on('packetCreate', frame);
}

/** One function for all connections. */
function frame(this: Engine, packet: EnginePacket): void {
  if (packet.data instanceof SharedPacket && this.transport.name === 'websocket')
    packet.options.wsPreEncodedFrame = packet.data.frame(MESSAGE);
}
