import { Injectable } from '@nestjs/common';
import { ConversationsService } from '../conversations/conversations.service.js';
import { MessagesStore } from '../conversations/messages.store.js';
import type { Member, Message } from '../protocol/index.js';
import type { PromptMessage } from '../providers/provider.js';
import { DatabaseTurns } from './database-turns.js';

const CONTEXT_MESSAGES = 50;

/** Makes a prompt from a conversation's last messages up to the question (protocol section 4, Answers). */
@Injectable()
export class PromptBuilder {
  constructor(
    private readonly messages: MessagesStore,
    private readonly conversations: ConversationsService,
    private readonly turns: DatabaseTurns,
  ) {}

  /** The prompt for the question `seq`; without context, the question alone. */
  build(conversationId: string, seq: number, includeContext: boolean): Promise<PromptMessage[]> {
    return this.turns.take(() => this.read(conversationId, seq, includeContext));
  }

  private async read(conversationId: string, seq: number, includeContext: boolean): Promise<PromptMessage[]> {
    const limit = includeContext ? CONTEXT_MESSAGES : 1;
    const { messages } = await this.messages.page({ conversationId, beforeSeq: seq + 1, limit });
    const speakers = new Set(messages.filter(({ role }) => role === 'user').map(({ senderId }) => senderId));
    const members = speakers.size > 1 ? await this.conversations.members(conversationId) : [];
    return messages.map((message) => toPrompt(message, speakers.size > 1 ? members : null));
  }
}

/** UTF-8 bytes of a prompt's text. */
export function promptBytes(prompt: readonly PromptMessage[]): number {
  return prompt.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
}

/** Names are given only once two people have spoken. */
function toPrompt({ role, content, senderId }: Message, members: readonly Member[] | null): PromptMessage {
  if (role !== 'user' || members === null) return { role, content };
  const name = members.find(({ userId }) => userId === senderId)?.name ?? senderId;
  return { role, content, name };
}
