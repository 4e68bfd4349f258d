import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { MoreThan, type Repository } from 'typeorm';
import type { Revocation } from '../../platform/relay/topics.js';
import { RevocationEntity } from './revocation.entity.js';

/** Every node holds all revocations in memory: about 20 MB at this limit. */
const MAX_REVOCATIONS = 100_000;

/** Stores the revocations that every node must know. */
@Injectable()
export class RevocationsStore {
  constructor(
    @InjectRepository(RevocationEntity) private readonly revocations: Repository<RevocationEntity>,
  ) {}

  /** Revokes up to now, by the database's clock. Returns null at the limit of revocations. */
  async add({ kind, value }: Pick<Revocation, 'kind' | 'value'>): Promise<Revocation | null> {
    const rows = await this.revocations.query<RevocationEntity[]>(
      `insert into revocations (kind, value, revoked_at)
       select $1, $2, clock_timestamp()
       where (select count(*) from revocations) < $3
         or exists (select from revocations where kind = $1 and value = $2)
       on conflict (kind, value) do update set revoked_at = excluded.revoked_at
       returning kind, value, revoked_at as "revokedAt"`,
      [kind, value, MAX_REVOCATIONS],
    );
    return rows[0] ? toRevocation(rows[0]) : null;
  }

  /** Returns the revocations made after `time` (milliseconds since 1970). */
  async since(time: number): Promise<Revocation[]> {
    const rows = await this.revocations.findBy({ revokedAt: MoreThan(new Date(time)) });
    return rows.map(toRevocation);
  }
}

function toRevocation({ kind, value, revokedAt }: RevocationEntity): Revocation {
  return { kind, value, at: revokedAt.getTime() };
}
