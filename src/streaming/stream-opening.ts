import type { Relay } from '../relay/relay.js';
import type { Draft } from './chunker.js';
import { tellStatus } from './stream-status.js';
import { toState, type OwnedStream } from './stream.rows.js';

/** Tells who joined that an answer begins to be produced, or goes on. */
export function tellBeginning(relay: Relay, row: OwnedStream): void {
  if (row.last_sequence >= 0) {
    const { status, last_sequence: lastSequence } = row;
    tellStatus(relay, row, { status, lastSequence, reason: 'continued' });
  } else if (row.options.visible) {
    relay.publish('conversation', row.conversation_id, { type: 'stream:started', stream: toState(row) });
  }
}

/** Chunk 0 (protocol section 4.6). `end_stream` writes the same where a stream ends before its owner could. */
export function openingOf(row: OwnedStream): Draft {
  const { id: streamId, conversation_id: conversationId, message_id: messageId, reply_to: replyTo } = row;
  const { provider, model } = row;
  const metadata = { streamId, conversationId, messageId, replyTo, provider, model };
  return { type: 'metadata', content: '', metadata };
}
