import { conversationInUrl, goToNewConversation } from '../address.js';
import { Conversation } from '../conversation.js';
import { explain } from '../failure.js';
import { Announcer } from './announcer.js';
import { Composer } from './composer.js';
import { byId, setText } from './dom.js';
import { closedDoor, signIn, welcome } from './empty.js';
import { ConnectionState } from './connection-state.js';
import { PeopleDialog } from './people-dialog.js';
import { Scroller } from './scroller.js';
import { ShareDialog } from './share-dialog.js';
import { Thread } from './thread.js';
import { toast } from './toasts.js';

/** The page: one conversation at a time, the one in the URL. */
export class ChatPage {
  #identity;
  #connection;
  #conversation = null;
  #unread = 0;
  #emptyState = '';
  #scroller = new Scroller({
    element: byId('scroller'),
    content: byId('scroller').firstElementChild,
    jump: byId('jump'),
    onLook: () => this.#looked(),
    onTop: () => void this.#loadOlder(),
  });
  #thread = new Thread({
    list: byId('thread'),
    scroller: this.#scroller,
    onDrawn: (entries) => this.#drawn(entries),
  });
  #composer = new Composer({
    onSend: (text, ask) => this.#send(text, ask),
    onEscape: () => this.#stopLast(),
  });
  #share = new ShareDialog();
  #people;

  constructor({ identity, connection }) {
    this.#identity = identity;
    this.#connection = connection;
    this.#people = new PeopleDialog({
      identity,
      rename: (name) => this.#rename(name),
      forgetToken: () => this.#forgetToken(),
    });
  }

  /** Shows the conversation of the URL and follows the URL from now on. */
  start() {
    new ConnectionState(this.#connection);
    byId('new-button').addEventListener('click', () => goToNewConversation());
    window.addEventListener('hashchange', () => this.#open());
    window.addEventListener('focus', () => this.#looked());
    document.addEventListener('visibilitychange', () => this.#looked());
    this.#identity.on('change', () => this.#thread.redraw());
    this.#open();
  }

  #open() {
    this.#conversation?.close();
    const conversation = new Conversation({
      id: conversationInUrl(),
      connection: this.#connection,
      identity: this.#identity,
    });
    this.#conversation = conversation;
    new Announcer(conversation);
    conversation.on('change', () => this.#thread.redraw());
    conversation.on('answer', (answer) => this.#thread.grow(answer));
    conversation.on('arrived', (messages) => this.#arrived(messages));
    conversation.on('notice', toast);
    this.#setUnread(0);
    this.#emptyState = '';
    this.#composer.open(conversation.id);
    this.#scroller.toEnd();
    this.#thread.show(conversation);
    if (matchMedia('(hover: hover)').matches) this.#composer.focus();
  }

  #drawn(entries) {
    const conversation = this.#conversation;
    this.#people.show(conversation);
    this.#share.show(conversation);
    this.#composer.enable(!conversation.failure && this.#connection.state.failure?.code !== 'sign_in');
    byId('older').hidden = !conversation.log.hasOlder;
    this.#showEmptyState(entries);
    this.#looked();
  }

  #showEmptyState(entries) {
    const { failure, log } = this.#conversation;
    const asked = this.#connection.state.failure?.code === 'sign_in' ? this.#connection.state.failure : null;
    const state = asked
      ? `sign in ${asked.message}`
      : failure
        ? 'closed'
        : log.started && entries.length === 0
          ? 'welcome'
          : 'none';
    if (this.#emptyState === state) return;
    this.#emptyState = state;
    byId('empty').hidden = state === 'none';
    byId('thread').hidden = state !== 'none';
    if (asked) byId('empty').replaceChildren(...signIn(asked, (token) => this.#signIn(token)));
    if (state === 'closed') byId('empty').replaceChildren(...closedDoor(failure, goToNewConversation));
    if (state === 'welcome')
      byId('empty').replaceChildren(...welcome((question) => this.#send(question, true)));
  }

  #send(text, ask) {
    this.#conversation.send(text, ask);
    this.#scroller.toEnd();
  }

  #arrived(messages) {
    const others = messages.filter(({ senderId }) => senderId !== this.#identity.userId).length;
    if (!this.#seesNewest()) this.#setUnread(this.#unread + others);
  }

  /** The person may see more, or less, than before. */
  #looked() {
    const sees = this.#seesNewest();
    this.#conversation?.look(sees);
    if (sees) this.#setUnread(0);
  }

  #seesNewest() {
    return this.#scroller.atEnd && document.visibilityState === 'visible' && document.hasFocus();
  }

  #setUnread(count) {
    this.#unread = count;
    document.title = count ? `(${count}) Streamgate` : 'Streamgate';
    setText(byId('jump-label'), count ? `${count} new` : 'Jump to newest');
  }

  async #loadOlder() {
    await this.#conversation?.loadOlder();
  }

  async #rename(name) {
    await this.#identity.rename(name);
    this.#connection.restart();
  }

  #signIn(token) {
    this.#identity.take(token);
    this.#connection.restart();
  }

  #forgetToken() {
    this.#identity.forgetToken();
    this.#connection.restart();
  }

  /** Escape stops the newest answer that the person may stop. */
  #stopLast() {
    const answer = this.#conversation.answers.shown.findLast((shown) => this.#conversation.mayStop(shown));
    if (!answer) return;
    this.#conversation.stop(answer).catch((failure) => {
      if (failure.code !== 'stream_ended') toast(explain(failure));
    });
  }
}
