import { Answers } from './answers.js';
import { Emitter } from './emitter.js';
import { Gaps } from './gaps.js';
import { MessageLog } from './message-log.js';
import { Outbox } from './outbox.js';
import { lacksName } from './people.js';
import { Receipts } from './receipts.js';
import { Sender } from './sender.js';

const JOIN_RETRY_MS = 2000;
const NAMES_AFTER_MS = 1000;

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
  #closed = false;
  #retry;
  #endings = [];
  #sender = new Sender(this);
  #receipts = new Receipts(this);
  #gaps = new Gaps(this);

  constructor({ id, connection, identity }) {
    super();
    Object.assign(this, { id, connection, identity });
    this.outbox = new Outbox(id);
    this.#listen();
    if (connection.connected) void this.join();
  }

  /** Ends all that this conversation does here, and leaves it. */
  close() {
    this.#closed = true;
    for (const end of this.#endings) end();
    clearTimeout(this.#retry);
    this.#sender.stop();
    this.#receipts.stop();
    this.#gaps.stop();
    if (this.joined) this.#leave();
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

  /** The own question that `replyTo` names, or undefined: only what one said oneself can be asked again. */
  questionOf(replyTo) {
    const question = this.log.messages.find(({ id }) => id === replyTo?.messageId);
    return question?.senderId === this.identity.userId ? question : undefined;
  }

  /** Asks `question` once more, as a new message. A failed answer that is no message makes room: `streamId`. */
  askAgain(question, streamId) {
    this.answers.drop(streamId);
    this.send(question.content, true);
  }

  /** The server has acked `entry`. */
  sent(entry, message) {
    this.take([message], false);
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

  /** To be called when the person may have seen more than before. */
  look(seen) {
    this.seen = seen;
    if (seen) this.#receipts.schedule();
  }

  /** Loads the page before the first message, where there is one. */
  loadOlder() {
    return this.#gaps.loadOlder();
  }

  /** Joins, or joins again: for what was missed, the members and the present state of the answers. */
  async join() {
    clearTimeout(this.#retry);
    this.#retry = undefined;
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
    const here = (handle) => (event) => event.payload.conversationId === this.id && handle(event.payload);
    on('phase', ({ phase }) => {
      if (phase === 'connected') return void this.join();
      this.joined = false;
      return this.emit('change');
    });
    on(
      'message:new',
      here((message) => this.take([message], true)),
    );
    on('queue:deliver', ({ payload, ack }) => {
      const messages = payload.items.filter(({ kind }) => kind === 'message').map(({ message }) => message);
      const ours = messages.filter(({ conversationId }) => conversationId === this.id);
      this.take(ours, true);
      // Other conversations' messages are read from their log when they are opened.
      ack?.({ ok: true });
    });
    on(
      'conversation:changed',
      here(({ change, userId }) => this.#changed(change, userId)),
    );
    on(
      'stream:started',
      here((state) => {
        this.answers.begin(state);
        this.emit('change');
      }),
    );
    on('stream:chunk', ({ payload }) => this.#chunk(payload));
    on('stream:status', ({ payload }) => this.answers.status(payload) && this.emit('change'));
  }

  async #joinOnce() {
    const after = this.log.started ? { afterSeq: this.log.lastSeq } : {};
    const answer = await this.connection.request('conversation:join', { conversationId: this.id, ...after });
    if (this.#closed) return this.#leave();
    this.joined = true;
    this.failure = null;
    this.info = answer.conversation;
    this.members = new Map(answer.members.map((member) => [member.userId, member]));
    if (this.log.started) this.take(answer.messages, true);
    else this.#settle(this.log.begin(answer.messages, answer.hasMore));
    if (this.log.lastSeq < answer.lastSeq) await this.#gaps.catchUp();
    this.answers.adopt(answer.activeStreams, () => this.emit('change'));
    this.emit('change');
    this.#receipts.schedule();
    return void this.#sender.flush();
  }

  #joinSoon(delayMs) {
    this.#retry ??= setTimeout(() => void this.join(), delayMs);
  }

  #leave() {
    this.connection.request('conversation:leave', { conversationId: this.id }).catch(() => {
      // Left with the connection.
    });
  }

  #notJoined(failure) {
    if (this.#closed) return;
    if (!failure.retryable) this.failure = failure;
    else if (this.connection.connected) this.#joinSoon(failure.retryAfterMs ?? JOIN_RETRY_MS);
    this.emit('change');
  }

  #changed(change, userId) {
    const gone = change === 'deleted' || (change === 'removed' && userId === this.identity.userId);
    if (!gone) return void this.join();
    this.joined = false;
    this.failure = { code: 'not_found' };
    return this.emit('change');
  }

  /** A page of the log. @throws {Failure} */
  history(where) {
    return this.connection.request('message:history', { conversationId: this.id, ...where });
  }

  /** Messages from anywhere, in any order, also repeated ones; `live`: the person is told of them. */
  take(messages, live) {
    if (messages.length === 0) return;
    const readable = this.log.take(messages);
    if (this.log.hasHole) this.#gaps.repairSoon();
    this.#settle(readable);
    if (readable.length === 0) return;
    if (live) this.emit('arrived', readable);
    this.#receipts.schedule();
    if (lacksName(readable, this)) this.#joinSoon(NAMES_AFTER_MS);
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
    if (this.answers.hasHole) this.#gaps.repairSoon();
    if (!answer) return;
    this.emit('answer', answer);
    if (!answer.end) return;
    if (answer.end.metadata?.messageId) this.#gaps.repairSoon();
    else this.emit('ended', answer);
    this.emit('change');
  }
}
