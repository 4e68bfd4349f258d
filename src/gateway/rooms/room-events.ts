import { EventEmitter } from 'node:events';
import { Injectable } from '@nestjs/common';
import type { Message } from '../../protocol/index.js';
import type { Connection } from '../connections/connection.js';

/** Each event with the arguments of its listeners. */
interface RoomEventMap {
  'room.joined': [connection: Connection, conversationId: string];
  /** The connection left, was removed, or failed to join. */
  'room.left': [connection: Connection, conversationId: string];
  /** The user is no longer a member, and the user's connections have left the room. */
  'member.removed': [userId: string, conversationId: string];
  /** A message that no socket sent: it came over HTTP, or it is an answer. */
  'message.posted': [message: Message];
}

/**
 * In-process events of this node's rooms. Listeners run at once, in the order in which they were added, and must not throw.
 * @example events.on('room.left', (connection, conversationId) => { … });
 */
@Injectable()
export class RoomEvents extends EventEmitter<RoomEventMap> {}
