import { OBJECTS } from '../protocol/schemas/objects.js';
import {
  COUNT,
  extend,
  enumOf,
  optional,
  objectSchema,
  TEXT,
  TIME,
  UUID,
} from '../protocol/schemas/schema.js';
import type { Conversation, Role } from '../protocol/index.js';

/** A conversation in a user's list: with its last message, shortened, and how many the user has not read. */
export interface ListedConversation extends Conversation {
  unread: number;
  lastMessage?: { id: string; seq: number; senderId: string; role: Role; content: string; createdAt: string };
  activeAt: string;
}

/** The schema of a {@link ListedConversation}. */
export const LISTED = extend(
  OBJECTS.Conversation,
  objectSchema<Omit<ListedConversation, keyof Conversation>>({
    unread: COUNT,
    lastMessage: optional(
      objectSchema<Required<ListedConversation>['lastMessage']>({
        id: UUID,
        seq: COUNT,
        senderId: TEXT,
        role: enumOf<Role>({ user: true, assistant: true, system: true }),
        content: TEXT,
        createdAt: TIME,
      }),
    ),
    activeAt: TIME,
  }),
);
