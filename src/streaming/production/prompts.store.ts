import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { NodeIdentity } from '../../common/ids.js';
import { batchReads } from '../../platform/database/batch-reads.js';
import { LIMITS, type Role } from '../../protocol/index.js';
import type { PromptMessage } from '../../providers/provider.js';
import { OWNED_COLUMNS, type OwnedStream } from '../log/stream.rows.js';

const CONTEXT_MESSAGES = 50;
/** A batch is at most 64 prompts. */
const RESULT_BYTES = 16 * 1024;

/** The messages up to a question. */
interface ConversationContext {
  messages: { role: Role; content: string; senderId: string }[];
  /** Members' names by their ids, null for a member without one. Null where only one person has written. */
  names: Record<string, string | null> | null;
}

/** Prompts of streams (protocol section 4, Answers), read in batches: a thousand answers may start at once. */
@Injectable()
export class PromptsStore {
  private readonly newStreams = batchReads({
    read: (batch: readonly string[]) => this.readNew(batch),
    resultBytes: RESULT_BYTES,
  });
  private readonly prompts = batchReads({
    read: (batch: readonly string[]) => this.read(batch),
    resultBytes: RESULT_BYTES,
  });

  constructor(
    private readonly database: DataSource,
    private readonly node: NodeIdentity,
  ) {}

  /** Reads a stream that this node owns and has not started to write, with its prompt; null for any other. */
  findNew(streamId: string): Promise<OwnedStream | null> {
    return this.newStreams(streamId);
  }

  /** Reads the prompt for a stream's question; without context, the question alone. */
  of(streamId: string): Promise<PromptMessage[]> {
    return this.prompts(streamId);
  }

  private async readNew(streamIds: readonly string[]): Promise<(OwnedStream | null)[]> {
    const rows = await this.database.query<(OwnedStream & ConversationContext)[]>(
      `select o.*, p.messages, p.names from read_prompts($1, $2, $3) p
       cross join lateral (
         select ${OWNED_COLUMNS} from streams s
         where s.id = p.stream_id and s.owner_node = $4 and s.last_sequence = -1 and s.completed_at is null
         offset 0) o`,
      [streamIds, CONTEXT_MESSAGES, LIMITS.pageBytes, this.node.id],
    );
    const found = new Map(
      rows.map(({ messages, names, ...row }) => [row.id, { ...row, prompt: toPrompt({ messages, names }) }]),
    );
    return streamIds.map((id) => found.get(id) ?? null);
  }

  private async read(streamIds: readonly string[]): Promise<PromptMessage[][]> {
    const rows = await this.database.query<(ConversationContext & { stream_id: string })[]>(
      'select stream_id, messages, names from read_prompts($1, $2, $3)',
      [streamIds, CONTEXT_MESSAGES, LIMITS.pageBytes],
    );
    const prompts = new Map(rows.map((row) => [row.stream_id, toPrompt(row)]));
    return streamIds.map((id) => prompts.get(id) ?? []);
  }
}

/** Users get a name only where more than one person has written. */
function toPrompt({ messages, names }: ConversationContext): PromptMessage[] {
  const known = new Map(Object.entries(names ?? {}));
  return messages.map(({ role, content, senderId }) => {
    if (role !== 'user' || names === null) return { role, content };
    return { role, content, name: known.get(senderId) ?? senderId };
  });
}
