import { Injectable } from '@nestjs/common';
import { PresenceService } from '../presence/presence.service.js';
import type { JoinAnswer, Member } from '../protocol/index.js';
import { TypingService } from '../typing/typing.service.js';

/** Who is there and who types, as the answer of a join tells it: the full state, from which differences go on. */
@Injectable()
export class Company {
  constructor(
    private readonly presence: PresenceService,
    private readonly typing: TypingService,
  ) {}

  /** To be asked when the connection hears the room already: a difference then comes twice at worst. */
  async in(
    conversationId: string,
    members: readonly Member[],
    readerId: string,
  ): Promise<Pick<JoinAnswer, 'presence' | 'typing'>> {
    const [presence, typing] = await Promise.all([
      this.presence.of(members.map(({ userId }) => userId)),
      this.typing.in(conversationId),
    ]);
    return { presence, typing: typing.filter((userId) => userId !== readerId) };
  }
}
