import { Injectable } from '@nestjs/common';
import { PresenceService } from '../../presence/presence.service.js';
import type { JoinResult, Member } from '../../protocol/index.js';
import { TypingService } from '../../typing/typing.service.js';
import { SHARED, SharedFields, type Sharing } from './shared-fields.js';

type Crowd = Pick<JoinResult, 'members' | 'presence'>;
type CompanyAnswer = Sharing<Crowd & Pick<JoinResult, 'typing'>, keyof Crowd>;

/** Who is there and who types, as the answer of a join tells it: the full state, from which differences go on. */
@Injectable()
export class PresenceSnapshot {
  /** Of members who were read together for several, as they all are told: none of them had not joined by then. */
  private readonly asked = new WeakMap<Member[], Promise<SharedFields<Crowd>>>();

  constructor(
    private readonly presence: PresenceService,
    private readonly typing: TypingService,
  ) {}

  /** To be asked when the connection hears the room already: a difference then comes twice at worst. */
  async in(conversationId: string, members: Member[], readerId: string): Promise<CompanyAnswer> {
    const [crowd, typing] = await Promise.all([this.crowdOf(members), this.typing.in(conversationId)]);
    return { typing: typing.filter((userId) => userId !== readerId), [SHARED]: crowd };
  }

  private crowdOf(members: Member[]): Promise<SharedFields<Crowd>> {
    const asked = this.asked.get(members) ?? this.lookAt(members);
    this.asked.set(members, asked);
    return asked;
  }

  private async lookAt(members: Member[]): Promise<SharedFields<Crowd>> {
    const presence = await this.presence.of(members.map(({ userId }) => userId));
    return new SharedFields({ members, presence });
  }
}
