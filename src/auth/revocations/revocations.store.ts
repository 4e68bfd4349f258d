import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Revocation } from '../../platform/relay/topics.js';

interface RevocationRow {
  kind: Revocation['kind'];
  value: string;
  revoked_at: Date;
}

/** Every node holds all of them in memory: some 20 MB at the most. */
const MAX_REVOCATIONS = 100_000;

/** The revocations that every node must know. */
@Injectable()
export class RevocationsStore {
  constructor(private readonly database: DataSource) {}

  /** Revokes up to now, by the database's clock; null where there are as many revocations as there may be. */
  async add({ kind, value }: Pick<Revocation, 'kind' | 'value'>): Promise<Revocation | null> {
    const rows = await this.database.query<RevocationRow[]>(
      `insert into revocations (kind, value, revoked_at)
       select $1, $2, clock_timestamp()
       where (select count(*) from revocations) < $3
         or exists (select from revocations where kind = $1 and value = $2)
       on conflict (kind, value) do update set revoked_at = excluded.revoked_at
       returning kind, value, revoked_at`,
      [kind, value, MAX_REVOCATIONS],
    );
    return rows[0] ? toRevocation(rows[0]) : null;
  }

  /** Those that were made after `time` (milliseconds since 1970). */
  async since(time: number): Promise<Revocation[]> {
    const rows = await this.database.query<RevocationRow[]>(
      'select kind, value, revoked_at from revocations where revoked_at > $1',
      [new Date(time)],
    );
    return rows.map(toRevocation);
  }
}

function toRevocation({ kind, value, revoked_at: at }: RevocationRow): Revocation {
  return { kind, value, at: at.getTime() };
}
