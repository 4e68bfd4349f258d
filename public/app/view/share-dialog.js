import { setAccess } from '../access.js';
import { explain } from '../failure.js';
import { byId, copyText, setText } from './dom.js';
import { closeOnBackdrop } from './people-dialog.js';
import { toast } from './toasts.js';

/** Opens the conversation to whoever has the link, and gives the link. */
export class ShareDialog {
  #dialog = byId('share-dialog');
  #link = byId('share-link');
  #conversation = null;

  constructor() {
    byId('share-button').addEventListener('click', () => void this.#open());
    byId('share-copy').addEventListener('click', () => void this.#copy());
    byId('share-stop').addEventListener('click', () => void this.#stop());
    closeOnBackdrop(this.#dialog);
  }

  /** The conversation that the button is about. */
  show(conversation) {
    this.#conversation = conversation;
    byId('share-button').disabled = Boolean(conversation.failure) || !conversation.info;
  }

  async #open() {
    this.#link.value = location.href;
    byId('share-field').hidden = true;
    byId('share-stop').hidden = true;
    setText(byId('share-text'), 'One moment…');
    this.#dialog.showModal();
    try {
      if (this.#conversation.info?.access !== 'link') await setAccess(this.#conversation, 'link');
      this.#opened();
    } catch (failure) {
      const reason =
        failure.code === 'forbidden' ? 'Only the owner of the conversation can share it.' : explain(failure);
      setText(byId('share-text'), reason);
    }
  }

  #opened() {
    const { members, identity } = this.#conversation;
    setText(byId('share-text'), 'Whoever has this link can join, read everything and write.');
    byId('share-field').hidden = false;
    byId('share-stop').hidden = members.get(identity.userId)?.role !== 'owner';
    this.#link.select();
  }

  async #copy() {
    if (!(await copyText(this.#link.value))) {
      this.#link.select();
      setText(byId('share-text'), 'The browser did not allow copying. Copy the selected link yourself.');
      return;
    }
    this.#dialog.close();
    toast('Link copied.');
  }

  async #stop() {
    try {
      await setAccess(this.#conversation, 'members');
      this.#dialog.close();
      toast('Nobody else can join now. Who is in stays in.');
    } catch (failure) {
      setText(byId('share-text'), explain(failure));
    }
  }
}
