import { Injectable } from '@nestjs/common';
import { shareJson } from '../common/shared-json.js';
import { PresenceService } from '../presence/presence.service.js';
import type { JoinAnswer, Member, Presence } from '../protocol/index.js';
import { TypingService } from '../typing/typing.service.js';

/** Who is there and who types, as the answer of a join tells it: the full state, from which differences go on. */
@Injectable()
export class Company {
  /** Of members who were read together for several, as they all are told: none of them had not joined by then. */
  private readonly asked = new WeakMap<readonly Member[], Promise<Presence[]>>();

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
    const [presence, typing] = await Promise.all([this.presenceOf(members), this.typing.in(conversationId)]);
    return { presence, typing: typing.filter((userId) => userId !== readerId) };
  }

  private presenceOf(members: readonly Member[]): Promise<Presence[]> {
    const asked =
      this.asked.get(members) ?? this.presence.of(members.map(({ userId }) => userId)).then(shareJson);
    this.asked.set(members, asked);
    return asked;
  }
}
