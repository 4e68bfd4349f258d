import { Injectable } from '@nestjs/common';
import { ConversationsStore } from './conversations.store.js';

interface Entry {
  version: number;
  userIds: ReadonlySet<string>;
}

const MAX_ENTRIES = 10_000;

/** Caches the members of conversations in memory, and loads them again for a newer membership version. */
@Injectable()
export class MemberCache {
  private readonly entries = new Map<string, Entry>();
  private readonly loading = new Map<string, Promise<Entry>>();

  constructor(private readonly store: ConversationsStore) {}

  /** Returns the members at `version` or later, if they are in memory. */
  known(conversationId: string, version: number): ReadonlySet<string> | undefined {
    const entry = this.entries.get(conversationId);
    return entry && entry.version >= version ? entry.userIds : undefined;
  }

  /** Resolves with the members at `version` or later. */
  async at(conversationId: string, version: number): Promise<ReadonlySet<string>> {
    let entry = this.entries.get(conversationId);
    // A load that began before the change may return older members. A second one began after it.
    for (let tries = 0; tries < 2 && (!entry || entry.version < version); tries += 1) {
      entry = await this.load(conversationId);
    }
    return (entry as Entry).userIds;
  }

  private load(conversationId: string): Promise<Entry> {
    const running = this.loading.get(conversationId);
    if (running) return running;
    const promise = this.store
      .memberIds(conversationId)
      .then(({ version, userIds }) => this.keep(conversationId, { version, userIds: new Set(userIds) }))
      .finally(() => this.loading.delete(conversationId));
    this.loading.set(conversationId, promise);
    return promise;
  }

  private keep(conversationId: string, entry: Entry): Entry {
    this.entries.delete(conversationId);
    this.entries.set(conversationId, entry);
    if (this.entries.size > MAX_ENTRIES) this.entries.delete(this.entries.keys().next().value as string);
    return entry;
  }
}
