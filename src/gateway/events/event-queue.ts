/** Events of one connection that are handled at once; the others wait. */
const MAX_RUNNING = 8;
/** Events that may wait; further ones are refused. */
const MAX_WAITING = 500;

/** What decides when an event may run. */
export interface Order {
  /** Events with the same key take effect in the order in which they came; undefined: in any order. */
  readonly key: string | undefined;
  /** Events of the same kind that come directly after each other may run at once; undefined: this one runs alone. */
  readonly sharedKind: string | undefined;
}

/** Events that may run at once with their like: reads, acks (the highest counts), and sends, which the log keeps in order. */
const SHARED = new Set(['message:send', 'message:ack', 'message:history', 'stream:recover']);

/** Returns the order of an event whose payload has not been validated (protocol section 4.11). */
export function orderOf(event: string, payload: unknown): Order {
  const { conversationId, streamId, respond } = (payload ?? {}) as Record<string, unknown>;
  const subject = conversationId ?? (typeof streamId === 'string' ? streamId.toLowerCase() : undefined);
  const key = typeof subject === 'string' ? subject : event.slice(0, event.indexOf(':') + 1) || undefined;
  if (!SHARED.has(event)) return { key, sharedKind: undefined };
  // A message without an answer takes a shorter way to the log than one with an answer.
  return { key, sharedKind: respond === false ? 'message:send without answer' : event };
}

interface Entry extends Order {
  /** Never rejects. */
  readonly task: () => Promise<void>;
}

/** The events of one key: those that may run, all of one kind, and those that wait for their turn. */
interface Lane {
  sharedKind: string | undefined;
  admitted: number;
  readonly waiting: Entry[];
}

/**
 * The events of one connection: a few run at once, and those with the same key run in order. One that waits for its key
 * keeps no other from running.
 */
export class EventQueue {
  private running = 0;
  private waiting = 0;
  /** Whose turn has come, but for the limit of events that run at once. */
  private readonly ready: Entry[] = [];
  /** Created on demand: most connections are quiet. */
  private lanes: Map<string, Lane> | undefined;

  /** Runs `task`, which never rejects, when its turn has come. @returns false where too many wait; the task is dropped. */
  add(task: () => Promise<void>, { key, sharedKind }: Order): boolean {
    const mayStart = key === undefined || this.canEnter(key, sharedKind);
    if (this.waiting >= MAX_WAITING && !(mayStart && this.running < MAX_RUNNING)) return false;
    const entry = { task, key, sharedKind };
    this.waiting += 1;
    if (mayStart) this.start(entry);
    else this.lanes?.get(key)?.waiting.push(entry);
    return true;
  }

  private canEnter(key: string, sharedKind: string | undefined): boolean {
    const lane = this.lanes?.get(key);
    return !lane || (sharedKind !== undefined && lane.waiting.length === 0 && lane.sharedKind === sharedKind);
  }

  /** The entry's turn in its lane has come. */
  private start(entry: Entry): void {
    const { key, sharedKind } = entry;
    if (key !== undefined) {
      const lanes = (this.lanes ??= new Map<string, Lane>());
      const lane = lanes.get(key);
      if (lane) lane.admitted += 1;
      else lanes.set(key, { sharedKind, admitted: 1, waiting: [] });
    }
    if (this.running < MAX_RUNNING) void this.run(entry);
    else this.ready.push(entry);
  }

  private async run(first: Entry): Promise<void> {
    this.running += 1;
    for (let entry: Entry | undefined = first; entry; entry = this.ready.shift()) {
      this.waiting -= 1;
      await entry.task();
      if (entry.key !== undefined) this.leave(entry.key);
    }
    this.running -= 1;
  }

  /** Lets the next events of the key start once the last one that ran has ended. */
  private leave(key: string): void {
    const lane = this.lanes?.get(key);
    if (!lane || (lane.admitted -= 1) > 0) return;
    const next = lane.waiting[0];
    if (!next) {
      this.lanes?.delete(key);
      return;
    }
    lane.sharedKind = next.sharedKind;
    do this.start(lane.waiting.shift() as Entry);
    while (next.sharedKind !== undefined && lane.waiting[0]?.sharedKind === next.sharedKind);
  }
}
