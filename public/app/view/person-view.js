import { nameOf } from '../people.js';
import { make, setText } from './dom.js';
import { avatar } from './avatar.js';
import { plainText } from './plain-text.js';
import { timeElement, showTime } from './time.js';

/** After how long a message that is on its way says so. */
const SLOW_MS = 700;

/** What a person wrote: pending, refused, or in the log. */
export class PersonView {
  element = make('li', 'entry person');
  #author = make('span', 'author', { dir: 'auto' });
  #time = timeElement();
  #text = make('div', 'said');
  #foot = make('div', 'foot');
  #body;
  #avatar = null;
  #shown = {};
  #slow;
  #conversation;

  constructor(conversation) {
    this.#conversation = conversation;
    const byline = make('div', 'byline', { children: [this.#author, this.#time] });
    this.#body = make('div', 'body', { children: [byline, this.#text, this.#foot] });
    this.element.append(this.#body);
  }

  update(entry) {
    const { own, senderId } = entry;
    const name = own ? this.#conversation.identity.name : this.#conversation.members.get(senderId)?.name;
    this.#showFace(senderId, name);
    setText(this.#author, own ? 'You' : nameOf(senderId, name));
    showTime(this.#time, entry.at);
    if (this.#shown.text !== entry.text) this.#text.replaceChildren(plainText(entry.text));
    this.#showState(entry);
    this.element.classList.toggle('own', own);
    this.element.classList.toggle('grouped', entry.grouped);
    this.element.classList.toggle('joined-below', Boolean(entry.joinedBelow));
    this.#shown.text = entry.text;
  }

  #showFace(userId, name) {
    const key = `${userId}/${name}`;
    if (this.#shown.avatar === key) return;
    this.#avatar?.remove();
    this.#avatar = avatar(userId, name);
    this.element.prepend(this.#avatar);
    this.#shown.avatar = key;
  }

  #showState({ outbox, failure }) {
    const state = failure ? `failed ${failure}` : outbox ? 'pending' : 'sent';
    if (this.#shown.state === state) return;
    this.#shown.state = state;
    clearTimeout(this.#slow);
    this.element.classList.toggle('failed', Boolean(failure));
    this.element.classList.remove('pending');
    this.#foot.replaceChildren();
    if (failure) this.#offerRetry(outbox, failure);
    else if (outbox) this.#slow = setTimeout(() => this.#showPending(), SLOW_MS);
  }

  #showPending() {
    this.element.classList.add('pending');
    this.#foot.replaceChildren(make('span', 'note', { children: ['Waiting to be sent'] }));
  }

  #offerRetry(outbox, failure) {
    const again = make('button', 'button text', { type: 'button', children: ['Send again'] });
    again.addEventListener('click', () => this.#conversation.retry(outbox));
    const drop = make('button', 'button text', { type: 'button', children: ['Delete'] });
    drop.addEventListener('click', () => this.#conversation.discard(outbox));
    this.#foot.replaceChildren(make('span', 'note bad', { children: [`Not sent. ${failure}`] }), again, drop);
  }
}
