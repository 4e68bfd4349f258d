import { PacketType, type Packet } from 'socket.io-parser';
import { answerToJson } from '../common/shared-json.js';

/**
 * Encodes packets as Socket.IO's protocol 5 says. Nothing that this server sends is binary, so nothing is searched for it; an
 * acknowledgement's answer may hold what others hold as well, whose JSON is made once.
 */
export class TextEncoder {
  encode({ type, nsp, id, data }: Packet): string[] {
    const namespace = nsp === '/' ? '' : `${nsp},`;
    return [`${type}${namespace}${id ?? ''}${data === undefined ? '' : dataToJson(type, data)}`];
  }
}

function dataToJson(type: PacketType, data: unknown): string {
  if (type !== PacketType.ACK) return JSON.stringify(data);
  const [answer] = data as [object?];
  return answer === undefined ? '[]' : `[${answerToJson(answer)}]`;
}
