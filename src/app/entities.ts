import { RevocationEntity } from '../auth/revocations/revocation.entity.js';
import { ConversationEntity } from '../conversations/conversation.entity.js';
import { MemberEntity } from '../conversations/member.entity.js';
import { MessageEntity } from '../conversations/message.entity.js';
import { UserEntity } from '../presence/user.entity.js';
import { DeliveryEntity, EndedDeliveryEntity } from '../queue/delivery.entity.js';
import { ChunkEntity } from '../streaming/log/chunk.entity.js';
import { NodeEntity } from '../streaming/ownership/node.entity.js';
import { StreamEntity } from '../streaming/log/stream.entity.js';

/** All entities. A test compares the migrations with them. */
export const entities: (new () => object)[] = [
  ConversationEntity,
  MemberEntity,
  MessageEntity,
  DeliveryEntity,
  EndedDeliveryEntity,
  StreamEntity,
  ChunkEntity,
  NodeEntity,
  RevocationEntity,
  UserEntity,
];
