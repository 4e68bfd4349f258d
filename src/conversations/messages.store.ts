import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { LIMITS, type Message, type MessagePage } from '../protocol/index.js';
import { MESSAGE_COLUMNS, toMessage, type MessageRow } from '../queue/message.rows.js';

/** Part of a conversation's log: after a `seq`, before one, or the end. */
export interface PageRequest {
  conversationId: string;
  afterSeq?: number | undefined;
  beforeSeq?: number | undefined;
  limit: number;
  /** The user who reads. Gets nothing unless the user is a member at the time of the read (P10). Without it, membership is not checked. */
  readerId?: string | undefined;
}

/** Reads the message log. */
@Injectable()
export class MessagesStore {
  constructor(private readonly database: DataSource) {}

  /** Returns a page of at most `limit` messages and 256 KiB of text, ascending. A single message may be larger. */
  async page(request: PageRequest): Promise<MessagePage> {
    const { conversationId, afterSeq, beforeSeq, limit, readerId } = request;
    const forward = afterSeq !== undefined;
    const ifMember = 'and exists (select from members where conversation_id = $1 and user_id = $5)';
    const order = forward ? 'asc' : 'desc';
    const from = forward ? afterSeq : (beforeSeq ?? Number.MAX_SAFE_INTEGER);
    const rows = await this.database.query<(MessageRow & { found: string })[]>(
      `with page as (
         select p.*, row_number() over (order by p.seq ${order}) as n,
           sum(octet_length(p.content)) over (order by p.seq ${order}) as bytes
         from (
           select * from messages
           where conversation_id = $1 and seq ${forward ? '>' : '<'} $2 ${readerId === undefined ? '' : ifMember}
           order by seq ${order} limit $3 + 1) p)
       select ${MESSAGE_COLUMNS}, (select count(*) from page) as found
       from page m where m.n <= $3 and (m.n = 1 or m.bytes <= $4) order by m.seq`,
      [conversationId, from, limit, LIMITS.pageBytes, ...(readerId === undefined ? [] : [readerId])],
    );
    return { messages: rows.map(toMessage), hasMore: rows.length < Number(rows[0]?.found ?? 0) };
  }

  /** Returns the message with this `seq`, or null. */
  async one(conversationId: string, seq: number): Promise<Message | null> {
    const rows = await this.database.query<MessageRow[]>(
      `select ${MESSAGE_COLUMNS} from messages m where m.conversation_id = $1 and m.seq = $2`,
      [conversationId, seq],
    );
    return rows[0] ? toMessage(rows[0]) : null;
  }
}
