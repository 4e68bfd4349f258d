import { forget, isText, keep, recall } from '../storage.js';
import { byId, setText } from './dom.js';

const MAX_CHARS = 16_000;
const COUNT_FROM = MAX_CHARS - 1000;
// oxlint-disable-next-line no-control-regex -- what the protocol refuses is taken out before it is sent
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/gu;

/** The box to write in. `onSend(text, ask)` takes what is sent; `onEscape()` is the Escape key. */
export class Composer {
  #form = byId('composer');
  #input = byId('composer-input');
  #ask = byId('ask');
  #send = byId('send');
  #note = byId('composer-note');
  #draftKey = null;
  #enabled = true;
  #onSend;

  constructor({ onSend, onEscape }) {
    this.#onSend = onSend;
    this.#form.addEventListener('submit', (event) => this.#submit(event));
    this.#input.addEventListener('input', () => this.#edited());
    this.#input.addEventListener('keydown', (event) => this.#key(event, onEscape));
    this.#ask.addEventListener('change', () => this.#showPurpose());
    this.#ask.checked = recall('ask', (value) => typeof value === 'boolean') ?? true;
    this.#showPurpose();
  }

  get asks() {
    return this.#ask.checked;
  }

  /** Shows the draft of another conversation. */
  open(conversationId) {
    this.#draftKey = `draft.${conversationId}`;
    this.#input.value = recall(this.#draftKey, isText) ?? '';
    this.#edited();
  }

  /** Whether anything can be written here at all. */
  enable(enabled) {
    this.#enabled = enabled;
    this.#input.disabled = !enabled;
    this.#showState();
  }

  focus() {
    this.#input.focus({ preventScroll: true });
  }

  #submit(event) {
    event.preventDefault();
    const text = this.#text();
    if (this.#send.disabled || !text) return;
    this.#onSend(text, this.asks);
    this.#input.value = '';
    this.#edited();
    this.focus();
  }

  #key(event, onEscape) {
    if (event.key === 'Escape') onEscape();
    // While an input method composes a word, Enter chooses it. Safari ends the composition before it tells of the key: 229.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }

  #text() {
    return this.#input.value.toWellFormed().replaceAll(CONTROLS, '').trim();
  }

  #edited() {
    if (this.#input.value) keep(this.#draftKey, this.#input.value);
    else forget(this.#draftKey);
    // A style set by script is allowed where style attributes are not.
    this.#input.style.height = 'auto';
    this.#input.style.height = `${this.#input.scrollHeight}px`;
    this.#showState();
  }

  #showState() {
    const text = this.#text();
    const length = text.length > COUNT_FROM / 2 ? Array.from(text).length : text.length;
    const tooLong = length > MAX_CHARS;
    this.#send.disabled = !this.#enabled || !text || tooLong;
    this.#note.classList.toggle('bad', tooLong);
    setText(this.#note, noteFor(length));
  }

  #showPurpose() {
    keep('ask', this.asks);
    this.#input.placeholder = this.asks ? 'Ask anything' : 'Write to the people here';
  }
}

function noteFor(length) {
  if (length > MAX_CHARS) return `${(length - MAX_CHARS).toLocaleString()} characters too long`;
  return length > COUNT_FROM ? `${(MAX_CHARS - length).toLocaleString()} characters left` : '';
}
