import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { NodeIdentity } from '../../common/ids.js';
import { batchReads } from '../../platform/database/batch-reads.js';
import { LIMITS } from '../../protocol/index.js';
import type { PromptMessage } from '../../providers/provider.js';
import { toPrompt, type ConversationContext } from './prompt.js';
import { OWNED_COLUMNS, type OwnedStream } from '../log/stream.rows.js';

const CONTEXT_MESSAGES = 50;
/** A batch is at most 64 prompts. */
const RESULT_BYTES = 16 * 1024;

/** Prompts of streams (protocol section 4, Answers), gathered: a thousand may begin at once. */
@Injectable()
export class PromptsStore {
  private readonly beginnings = batchReads({
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

  /** A stream that this node owns and that nobody has begun to write, with its prompt; null where it is not so. */
  findNew(streamId: string): Promise<OwnedStream | null> {
    return this.beginnings(streamId);
  }

  /** The prompt for a stream's question; without context, the question alone. */
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
