import { setAccess } from '../access.js';
import { explain } from '../failure.js';
import { byId, copyText, setText } from './dom.js';
import { closeOnBackdrop } from './people-dialog.js';
import { toast } from './toasts.js';

/** Says who can join, opens the conversation to whoever has the link, and gives the link. */
export class ShareDialog {
  #dialog = byId('share-dialog');
  #link = byId('share-link');
  #conversation = null;

  constructor() {
    byId('share-button').addEventListener('click', () => this.#open());
    byId('share-start').addEventListener('click', () => void this.#start());
    byId('share-copy').addEventListener('click', () => void this.#copy());
    byId('share-stop').addEventListener('click', () => void this.#stop());
    closeOnBackdrop(this.#dialog);
  }

  /** The conversation that the button is about. */
  show(conversation) {
    this.#conversation = conversation;
    byId('share-button').disabled = Boolean(conversation.failure) || !conversation.info;
  }

  /** Shows what is so. Opening changes nothing: only the buttons do. */
  #open() {
    const { info, members, identity } = this.#conversation;
    const isOwner = members.get(identity.userId)?.role === 'owner';
    const isShared = info?.access === 'link';
    this.#link.value = location.href;
    byId('share-start').hidden = isShared || !isOwner;
    byId('share-field').hidden = !isShared;
    byId('share-stop').hidden = !isShared || !isOwner;
    setText(byId('share-text'), stateOf(isShared, isOwner));
    if (!this.#dialog.open) this.#dialog.showModal();
    if (isShared) this.#link.select();
  }

  async #start() {
    try {
      await this.#setAccess('link');
      this.#open();
    } catch (failure) {
      const reason =
        failure.code === 'forbidden' ? 'Only the owner of the conversation can share it.' : explain(failure);
      setText(byId('share-text'), reason);
    }
  }

  async #setAccess(access) {
    const conversation = this.#conversation;
    byId('share-start').disabled = true;
    try {
      await setAccess(conversation, access);
      conversation.info = { ...conversation.info, access };
    } finally {
      byId('share-start').disabled = false;
    }
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
      await this.#setAccess('members');
      this.#dialog.close();
      toast('Nobody else can join now. Who is in stays in.');
    } catch (failure) {
      setText(byId('share-text'), explain(failure));
    }
  }
}

function stateOf(isShared, isOwner) {
  if (isShared) return 'Whoever has this link can join, read everything and write.';
  return isOwner
    ? 'Only its members can open this conversation. Once it is shared, whoever has the link can join, read everything and write.'
    : 'Only its members can open this conversation. Only its owner can share it.';
}
