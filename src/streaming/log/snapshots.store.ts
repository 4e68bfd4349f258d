import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import {
  toConversation,
  toMember,
  type ConversationRow,
  type MemberRow,
} from '../../conversations/conversation.rows.js';
import { batchReads } from '../../platform/database/batch-reads.js';
import { LIMITS, type ActiveStream, type JoinResult } from '../../protocol/index.js';
import { toMessage, type MessageRow } from '../../queue/message.rows.js';
import { streamFromJson, toState } from './stream.rows.js';

/** A user's request for a conversation, with the messages after `afterSeq`, or without it the last ones. */
export interface SnapshotRequest {
  conversationId: string;
  userId: string;
  afterSeq?: number | undefined;
}

/** A conversation at one moment: a page of at most 50 messages or 256 KiB, and the running answers with their text so far. */
export type Snapshot = Pick<
  JoinResult,
  'conversation' | 'members' | 'messages' | 'hasMore' | 'activeStreams'
>;

/** A row that came as JSON: times are text. */
type Json<Row> = { [Name in keyof Row]: Row[Name] extends Date | null ? string | null : Row[Name] };

/** What `read_snapshots` returns of a conversation, and of a page of its messages. */
interface Body {
  conversation: Json<ConversationRow>;
  members: Json<MemberRow>[];
  streams: (Record<string, unknown> & { text: string })[];
  messages: Json<MessageRow>[];
  found: number;
}

/** Concurrent statements: PostgreSQL reads for one while this process parses the result of the other. */
const AT_ONCE = 2;
/** A batch is at most 32 results. */
const RESULT_BYTES = 32 * 1024;
/**
 * Members that may be read per millisecond. Reading a conversation of 2,000 members takes two processors about ten milliseconds;
 * all who join within 0.2 s after it share the next read.
 */
const MEMBERS_PER_MS = 10;
const MAX_REST_MS = 250;

/** Reads what a member gets on joining a conversation, in one statement for all who join at about the same time. */
@Injectable()
export class SnapshotsStore {
  private readonly snapshots = batchReads({
    read: (batch: readonly SnapshotRequest[]) => this.read(batch),
    concurrency: AT_ONCE,
    resultBytes: RESULT_BYTES,
    restMs: (snapshots) => Math.min(MAX_REST_MS, membersOf(snapshots) / MEMBERS_PER_MS),
  });

  constructor(private readonly database: DataSource) {}

  /** Reads a snapshot; null where the user is not a member at that moment (P10). */
  of(request: SnapshotRequest): Promise<Snapshot | null> {
    return this.snapshots(request);
  }

  private async read(batch: readonly SnapshotRequest[]): Promise<(Snapshot | null)[]> {
    const rows = await this.database.query<{ readers: number[]; body: Partial<Body> }[]>(
      'select readers, body from read_snapshots($1, $2, $3, $4, $5)',
      [
        batch.map(({ conversationId }) => conversationId),
        batch.map(({ userId }) => userId),
        batch.map(({ afterSeq }) => afterSeq ?? null),
        ...[LIMITS.defaultPageMessages, LIMITS.pageBytes],
      ],
    );
    const snapshots: Partial<Snapshot>[] = [];
    for (const { readers, body } of rows) {
      const part = toPart(body);
      for (const n of readers) snapshots[n - 1] = { ...snapshots[n - 1], ...part };
    }
    return batch.map((_, index) => (snapshots[index] as Snapshot | undefined) ?? null);
  }
}

/** Counts members to read. A list that several snapshots share counts once. */
function membersOf(snapshots: readonly (Snapshot | null)[]): number {
  const lists = new Set(snapshots.map((snapshot) => snapshot?.members ?? []));
  return [...lists].reduce((sum, { length }) => sum + length, 0);
}

function toPart({
  conversation,
  members,
  streams,
  messages = [],
  found = 0,
}: Partial<Body>): Partial<Snapshot> {
  if (!conversation || !members || !streams) {
    const page = messages.map((row) => toMessage(dated(row, 'created_at')));
    return { messages: page, hasMore: page.length < found };
  }
  return {
    conversation: toConversation(dated(conversation, 'created_at')),
    members: members.map((row) => toMember(dated(row, 'joined_at', 'delivered_at', 'read_at'))),
    activeStreams: streams.map(toActive),
  };
}

function toActive({ text, ...json }: Body['streams'][number]): ActiveStream {
  const row = streamFromJson(json);
  return { ...toState(row), snapshot: { text, sequence: row.lastSequence } };
}

/** Converts the times of `names` to dates, in place, as the driver would have returned them. */
function dated<Row extends object>(json: Json<Row>, ...names: (keyof Row)[]): Row {
  const row = json as Record<keyof Row, unknown>;
  for (const name of names) if (typeof row[name] === 'string') row[name] = new Date(row[name]);
  return row as Row;
}
