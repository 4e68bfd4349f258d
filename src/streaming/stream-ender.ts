import { Injectable } from '@nestjs/common';
import { Announcer } from '../conversations/announcer.js';
import { Relay } from '../relay/relay.js';
import { StreamsStore, type EndResult, type Ending } from './streams.store.js';

/** Ends streams and tells of it: who made the end tells it, after the commit. */
@Injectable()
export class StreamEnder {
  constructor(
    private readonly streams: StreamsStore,
    private readonly relay: Relay,
    private readonly announcer: Announcer,
  ) {}

  /** @throws {DomainError} retryable, when the database is away. */
  async end(ending: Ending & { visible: boolean }): Promise<EndResult> {
    const result = await this.streams.end(ending);
    if (result.outcome !== 'ended') return result;
    const { conversationId, chunk, status, lastSequence } = result;
    const { streamId, reason, visible } = ending;
    // The owner hears it first: from now on the fence refuses whatever it has under way.
    this.relay.publish('stream', streamId, { type: 'ended' });
    if (visible) {
      this.relay.publish('conversation', conversationId, { type: 'stream:chunk', chunk });
      const change = { streamId, status, lastSequence, ...(reason && { reason }) };
      this.relay.publish('conversation', conversationId, { type: 'stream:status', status: change });
    }
    if (result.message) this.announcer.announce(result.message);
    return result;
  }
}
