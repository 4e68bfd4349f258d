import { explain } from '../failure.js';
import { nameOf } from '../people.js';
import { byId, make, setText } from './dom.js';
import { avatar } from './avatar.js';

const AVATARS = 3;

/** Who is in the conversation: the avatars in the bar, the list behind them, and one's own name. */
export class PeopleDialog {
  #dialog = byId('people-dialog');
  #input = byId('name-input');
  #identity;
  #rename;
  #conversation = null;
  #shown = '';

  /** `rename(name)` is awaited. */
  constructor({ identity, rename, forgetToken }) {
    this.#identity = identity;
    this.#rename = rename;
    byId('people-button').addEventListener('click', () => this.#open());
    byId('name-form').addEventListener('submit', (event) => void this.#save(event));
    this.#input.addEventListener('input', () => this.#showSave());
    byId('forget-token').addEventListener('click', () => {
      this.#dialog.close();
      forgetToken();
    });
    closeOnBackdrop(this.#dialog);
  }

  /** Shows the people of `conversation`; to be called when they may have changed. */
  show(conversation) {
    this.#conversation = conversation;
    const people = this.#people();
    const key = JSON.stringify(people);
    if (this.#shown === key) return;
    this.#shown = key;
    const avatars = people.slice(0, AVATARS).map(({ userId, name }) => avatar(userId, name));
    if (people.length > AVATARS)
      avatars.push(make('span', 'avatar more', { children: [`+${people.length - AVATARS}`] }));
    byId('people-avatars').replaceChildren(...avatars);
    setText(
      byId('people-label'),
      people.length === 1 ? 'Your name' : `People: ${people.length}, and your name`,
    );
    byId('people-list').replaceChildren(...people.map((person) => row(person)));
  }

  #people() {
    const me = { userId: this.#identity.userId, name: this.#identity.name, own: true };
    const others = [...(this.#conversation?.members.values() ?? [])].filter(
      ({ userId }) => userId !== me.userId,
    );
    const own = this.#conversation?.members.get(me.userId);
    return [{ ...me, role: own?.role }, ...others.map(({ userId, name, role }) => ({ userId, name, role }))];
  }

  #open() {
    this.#input.value = this.#identity.name;
    this.#input.placeholder = nameOf(this.#identity.userId);
    byId('name-form').hidden = !this.#identity.isGuest;
    byId('forget-token').hidden = this.#identity.isGuest;
    setText(byId('name-note'), 'Others in the conversation see it.');
    this.#showSave();
    this.#dialog.showModal();
    // Somebody may have changed a name since.
    if (this.#conversation?.joined) void this.#conversation.join();
  }

  #showSave() {
    const name = this.#input.value.trim();
    byId('name-save').disabled = !name || name === this.#identity.name;
  }

  async #save(event) {
    event.preventDefault();
    if (byId('name-save').disabled) return;
    byId('name-save').disabled = true;
    try {
      await this.#rename(this.#input.value.trim());
      this.#dialog.close();
    } catch (failure) {
      setText(byId('name-note'), `Not saved. ${explain(failure)}`);
      this.#showSave();
    }
  }
}

function row({ userId, name, own, role }) {
  const label = own ? `${nameOf(userId, name)} (you)` : nameOf(userId, name);
  const children = [avatar(userId, name), make('span', 'name', { dir: 'auto', children: [label] })];
  if (role === 'owner') children.push(make('span', 'role', { children: ['Owner'] }));
  return make('li', '', { children });
}

/** A click beside a dialog closes it. */
export function closeOnBackdrop(dialog) {
  dialog.addEventListener('click', (event) => {
    if (event.target !== dialog) return;
    const { left, right, top, bottom } = dialog.getBoundingClientRect();
    const inside =
      event.clientX >= left && event.clientX <= right && event.clientY >= top && event.clientY <= bottom;
    if (!inside) dialog.close();
  });
}
