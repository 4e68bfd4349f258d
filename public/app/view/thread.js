import { timeline } from '../timeline.js';
import { AssistantView } from './assistant-view.js';
import { make, setText } from './dom.js';
import { PersonView } from './person-view.js';
import { dayName } from './time.js';

/** The list of messages. Draws at most once a frame, and for a chunk only the answer that it belongs to. */
export class Thread {
  #list;
  #conversation = null;
  #views = new Map();
  #grown = new Set();
  #changed = false;
  #scheduled = false;
  #scroller;
  #onDrawn;

  /** `onDrawn(entries)` is called after each drawing of the whole list. */
  constructor({ list, scroller, onDrawn }) {
    this.#list = list;
    this.#scroller = scroller;
    this.#onDrawn = onDrawn;
  }

  /** Shows another conversation. */
  show(conversation) {
    this.#conversation = conversation;
    this.#views.clear();
    this.#grown.clear();
    this.#list.replaceChildren();
    this.redraw();
  }

  /** To be called when anything changed. */
  redraw() {
    this.#changed = true;
    this.#schedule();
  }

  /** To be called when only the text of `answer` grew. */
  grow(answer) {
    this.#grown.add(answer);
    this.#schedule();
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#scheduled = false;
    if (this.#changed) this.#scroller.keepPlace(this.#list, () => this.#drawAll());
    else for (const answer of this.#grown) this.#views.get(`answer/${answer.state?.messageId}`)?.showText();
    this.#changed = false;
    this.#grown.clear();
  }

  #drawAll() {
    const entries = timeline(this.#conversation);
    const keys = new Set(entries.map(({ key }) => key));
    for (const [key, view] of this.#views) {
      if (keys.has(key)) continue;
      view.element.remove();
      this.#views.delete(key);
    }
    let place = this.#list.firstElementChild;
    for (const entry of entries) {
      const { element } = this.#viewOf(entry);
      if (element === place) place = place.nextElementSibling;
      else this.#list.insertBefore(element, place);
    }
    this.#onDrawn(entries);
  }

  #viewOf(entry) {
    const view = this.#views.get(entry.key) ?? this.#createView(entry);
    this.#views.set(entry.key, view);
    view.update(entry);
    return view;
  }

  #createView({ kind }) {
    if (kind === 'day') return new DayView();
    return kind === 'assistant' ? new AssistantView(this.#conversation) : new PersonView(this.#conversation);
  }
}

/** The line between two days. */
class DayView {
  element = make('li', 'day');
  #label = make('span');

  constructor() {
    this.element.append(this.#label);
  }

  update({ at }) {
    setText(this.#label, dayName(at));
  }
}
