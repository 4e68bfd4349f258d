import { Answers } from './answers.js';
import { Emitter } from './emitter.js';
import { callApi } from './http.js';
import { MessageLog } from './message-log.js';
import { Outbox } from './outbox.js';
import { Receipts } from './receipts.js';
import { Sender } from './sender.js';

const HOLE_PATIENCE_MS = 1000;
const JOIN_RETRY_MS = 2000;

/**
 * One conversation as this client knows it: it joins after every connect, keeps messages and answers in order, fills
 * holes, sends what is written and acks what has come.
 *
 * Emits `change` (anything), `answer` (the answer whose text grew), `arrived` (messages that came live),
 * `ended` (an answer that ended without a message) and `notice` (a sentence for the person).
 */
export class Conversation extends Emitter {
  log = new MessageLog();
  answers = new Answers(this.log);
  /** null before the first join. */
  info = null;
  members = new Map();
  /** Whether this connection has joined. */
  joined = false;
  /** Why it cannot be joined; null while it can. */
  failure = null;
  /** Whether the person has the newest message before the eyes. */
  seen = false;
  #joining = false;
  #joinAgain = false;
  #older = false;
  #timers = new Set();
  #endings = [];
  #sender = new Sender(this);
  #receipts = new Receipts(this);

  constructor({ id, connection, identity }) {
    super();
    Object.assign(this, { id, connection, identity });
    this.outbox = new Outbox(id);
    this.#listen();
    if (connection.connected) void this.join();
  }

  /** Ends all that this conversation does here, and leaves it. */
  close() {
    for (const end of this.#endings) end();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#sender.stop();
    this.#receipts.stop();
    if (this.joined) this.connection.request('conversation:leave', { conversationId: this.id }).catch(() => {
      // Left with the connection.
    });
    this.joined = false;
  }

  /** Whether the person may stop `answer`. */
  mayStop(answer) {
    const me = this.identity.userId;
    return !answer.end && (answer.state.userId === me || this.members.get(me)?.role === 'owner');
  }

  send(content, respond) {
    this.outbox.add(content, respond);
    this.emit('change');
    void this.#sender.flush();
  }

  /** Sends a refused message once more. */
  retry(entry) {
    this.outbox.mark(entry, null);
    this.emit('change');
    void this.#sender.flush();
  }

  discard(entry) {
    this.outbox.remove(entry.clientMessageId);
    this.emit('change');
  }

  /** The server has acked `entry`. */
  sent(entry, message) {
    this.#take([message], false);
    // While a hole keeps it from being read, it goes on to be shown as it was written.
    if (message.seq <= this.log.lastSeq) this.outbox.remove(entry.clientMessageId);
    else entry.acked = true;
    this.emit('change');
  }

  /** The server will not take `entry`. */
  refused(entry, reason) {
    this.outbox.mark(entry, reason);
    this.emit('change');
  }

  /** @throws {Failure} */
  async stop(answer) {
    await this.connection.request('stream:cancel', { streamId: answer.streamId });
  }

  /** Lets in whoever knows the link (`link`), or nobody new (`members`). @throws {Failure} */
  async setAccess(access) {
    const token = await this.identity.token();
    const info = await callApi('PATCH', `/conversations/${encodeURIComponent(this.id)}`, { body: { access }, token });
    this.info = { ...this.info, ...info };
    this.emit('change');
  }

  /** To be called when the person may have seen more than before. */
  look(seen) {
    this.seen = seen;
    if (seen) this.#receipts.schedule();
  }

  /** Loads the page before the first message. Does nothing where there is none, or while one is loading. */
  async loadOlder() {
    if (this.#older || !this.log.hasOlder || !this.joined) return;
    this.#older = true;
    try {
      const page = await this.#history({ beforeSeq: this.log.firstSeq });
      this.log.prepend(page.messages, page.hasMore);
      this.emit('change');
    } catch {
      // The next scroll asks again.
    } finally {
      this.#older = false;
    }
  }

  /** Joins, or joins again: for what was missed, the members and the present state of the answers. */
  async join() {
    if (this.#joining) {
      this.#joinAgain = true;
      return;
    }
    this.#joining = true;
    try {
      do {
        this.#joinAgain = false;
        await this.#joinOnce();
      } while (this.#joinAgain);
    } catch (failure) {
      this.#notJoined(failure);
    } finally {
      this.#joining = false;
    }
  }

  #listen() {
    const on = (name, handle) => this.#endings.push(this.connection.on(name, handle));
    const here = (handle) => ({ payload }) => payload.conversationId === this.id && handle(payload);
    on('phase', ({ phase }) => {
      if (phase === 'connected') return void this.join();
      this.joined = false;
      return this.emit('change');
    });
    on('message:new', here((message) => this.#take([message], true)));
    on('queue:deliver', ({ payload, ack }) => {
      const messages = payload.items.filter(({ kind }) => kind === 'message').map(({ message }) => message);
      this.#take(messages.filter(({ conversationId }) => conversationId === this.id), true);
      ack?.({ ok: true });
    });
    on('conversation:changed', here(({ change, userId }) => this.#changed(change, userId)));
    on('stream:started', here((state) => {
      this.answers.begin(state);
      this.emit('change');
    }));
    on('stream:chunk', ({ payload }) => this.#chunk(payload));
    on('stream:status', ({ payload }) => this.answers.status(payload) && this.emit('change'));
  }

  async #joinOnce() {
    const after = this.log.started ? { afterSeq: this.log.lastSeq } : {};
    const answer = await this.connection.request('conversation:join', { conversationId: this.id, ...after });
    this.joined = true;
    this.failure = null;
    this.info = answer.conversation;
    this.members = new Map(answer.members.map((member) => [member.userId, member]));
    if (this.log.started) this.#take(answer.messages, true);
    else this.#settle(this.log.begin(answer.messages, answer.hasMore));
    if (this.log.lastSeq < answer.lastSeq) await this.#catchUp();
    this.answers.adopt(answer.activeStreams, () => this.emit('change'));
    this.emit('change');
    this.#receipts.schedule();
    void this.#sender.flush();
  }

  #notJoined(failure) {
    if (!failure.retryable) this.failure = failure;
    else if (this.connection.connected) this.#after(failure.retryAfterMs ?? JOIN_RETRY_MS, () => this.join());
    this.emit('change');
  }

  #changed(change, userId) {
    const gone = change === 'deleted' || (change === 'removed' && userId === this.identity.userId);
    if (!gone) return void this.join();
    this.joined = false;
    this.failure = { code: 'not_found' };
    return this.emit('change');
  }

  /** Asks for what lies after the last message, page by page. */
  async #catchUp() {
    for (let more = true; more; ) {
      const before = this.log.lastSeq;
      const page = await this.#history({ afterSeq: before });
      this.#take(page.messages, true);
      more = page.hasMore && this.log.lastSeq > before;
    }
  }

  #history(where) {
    return this.connection.request('message:history', { conversationId: this.id, ...where });
  }

  #take(messages, live) {
    if (messages.length === 0) return;
    const readable = this.log.take(messages);
    if (this.log.hasHole) this.#repairSoon();
    this.#settle(readable);
    if (readable.length === 0) return;
    if (live) this.emit('arrived', readable);
    this.#receipts.schedule();
    if (readable.some(({ role, senderId }) => role === 'user' && !this.members.has(senderId))) void this.join();
  }

  /** Own messages that are in the log need not be sent any more; answers that are in it are written. */
  #settle(readable) {
    for (const { senderId, clientMessageId } of readable) {
      if (senderId === this.identity.userId && clientMessageId) this.outbox.remove(clientMessageId);
    }
    this.answers.tidy();
    this.emit('change');
  }

  #chunk(chunk) {
    const answer = this.answers.take(chunk);
    if (this.answers.hasHole) this.#repairSoon();
    if (!answer) return;
    this.emit('answer', answer);
    if (!answer.end) return;
    if (answer.end.metadata?.messageId) this.#repairSoon();
    else this.emit('ended', answer);
    this.emit('change');
  }

  /** Gives what is missing a second to come by itself, then asks for it. */
  #repairSoon() {
    if (this.#repairing) return;
    this.#repairing = true;
    this.#after(HOLE_PATIENCE_MS, () => {
      this.#repairing = false;
      // A join fills both: messages by `afterSeq`, answers by their snapshots.
      if (this.answers.hasHole) return this.join();
      if (this.log.hasHole || this.answers.awaitsMessage) return this.#catchUp().catch((failure) => this.#notJoined(failure));
      return undefined;
    });
  }

  #repairing = false;

  #after(delay, work) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void work();
    }, delay);
    this.#timers.add(timer);
  }
}
