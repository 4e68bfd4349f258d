import { Injectable } from '@nestjs/common';
import type { DedicatedConnection } from '../../platform/database/dedicated-connection.js';
import { DedicatedConnections } from '../../platform/database/dedicated-connections.js';
import { toDatabaseError } from '../../platform/database/errors.js';
import type { StreamStatus } from '../../protocol/index.js';

/** What a pause or resume came to. */
export interface Controlled {
  /** Whether this call did it. */
  changed: boolean;
  status: StreamStatus;
  lastSequence: number;
  /** Counts pauses and resumes. */
  version: number;
}

interface ControlledRow {
  changed: boolean;
  status: StreamStatus;
  last_sequence: number;
  control_version: number;
}

/** Who answers a stream, at this epoch. */
interface Answering {
  id: string;
  epoch: number;
  provider: string;
  model: string;
}

const PAUSE = { name: 'pause_stream', text: 'select * from pause_stream($1)' };
const RESUME = { name: 'resume_stream', text: 'select * from resume_stream($1)' };

/** Gives a stream up whose owner, of this epoch, stops: anybody may claim it at once. Not where it has ended. */
const RELEASE = {
  name: 'release_stream',
  text: `update streams s set owner_node = null, epoch = s.epoch + 1, interruptions = s.interruptions + 1,
      status = case s.status when 'paused' then 'paused' else 'interrupted' end
    where s.id = $1 and s.epoch = $2 and s.completed_at is null
    returning true as changed, s.status, s.last_sequence, s.control_version`,
};

const FALLBACK = {
  name: 'set_fallback',
  text: `update streams set provider = $3, model = $4, used_fallback = true
    where id = $1 and epoch = $2 and last_sequence = -1 and completed_at is null returning id`,
};

/** Changes of a running stream's state, each one statement: what is changed is changed for every writer. */
@Injectable()
export class StreamControlStore {
  private readonly connection: DedicatedConnection;

  constructor(connections: DedicatedConnections) {
    this.connection = connections.open('stream-controls');
  }

  /** From when this resolves nothing enters the log. Null where there is no such stream. */
  pause(streamId: string): Promise<Controlled | null> {
    return this.ask(PAUSE, [streamId]);
  }

  /** Null where there is no such stream. */
  resume(streamId: string): Promise<Controlled | null> {
    return this.ask(RESUME, [streamId]);
  }

  /** Null where the stream has ended or is not at `epoch` any more. */
  release(streamId: string, epoch: number): Promise<Controlled | null> {
    return this.ask(RELEASE, [streamId, epoch]);
  }

  /** Notes who answers in place of whom it was asked of; false where the stream has ended or is not at `epoch` any more. */
  async setFallback({ id, epoch, provider, model }: Answering): Promise<boolean> {
    const rows = await this.connection
      .query(FALLBACK, [id, epoch, provider, model])
      .catch((fault: unknown) => Promise.reject(toDatabaseError(fault)));
    return rows.length > 0;
  }

  /** @throws {DomainError} retryable, when the database is slow or away. */
  private async ask(
    statement: { name: string; text: string },
    values: unknown[],
  ): Promise<Controlled | null> {
    const [row] = await this.connection.query<ControlledRow>(statement, values).catch((fault: unknown) => {
      throw toDatabaseError(fault);
    });
    if (!row) return null;
    const { changed, status, last_sequence: lastSequence, control_version: version } = row;
    return { changed, status, lastSequence, version };
  }
}
