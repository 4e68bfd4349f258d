const NEAR_END_PX = 60;
const NEAR_TOP_PX = 240;

/** Scrolling: stays at the end while the reader is there, never moves what somebody is reading. */
export class Scroller {
  #element;
  #jump;
  #atEnd = true;
  #last = { top: 0, height: 0 };
  #onLook;
  #onTop;

  /** `onLook(atEnd)`: the reader moved; `onTop()`: the reader comes near the beginning. */
  constructor({ element, content, jump, onLook, onTop }) {
    this.#element = element;
    this.#jump = jump;
    this.#onLook = onLook;
    this.#onTop = onTop;
    element.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    jump.addEventListener('click', () => this.toEnd());
    // Whatever grows or shrinks (text, a keyboard on the phone, the composer): the end stays the end.
    const sizes = new ResizeObserver(() => (this.#atEnd ? this.toEnd() : this.#scrolled()));
    sizes.observe(content);
    sizes.observe(element);
  }

  get atEnd() {
    return this.#atEnd;
  }

  toEnd() {
    this.#setAtEnd(true);
    this.#element.scrollTop = this.#element.scrollHeight;
  }

  /** Runs `work`, which may add something above, without moving what is in view. `content` holds the entries. */
  keepPlace(content, work) {
    if (this.#atEnd) return work();
    const top = this.#element.getBoundingClientRect().top;
    const anchor = [...content.children].find(
      (child) => child.matches('.entry') && child.getBoundingClientRect().bottom > top,
    );
    const before = anchor?.getBoundingClientRect().top;
    work();
    if (anchor?.isConnected) this.#element.scrollTop += anchor.getBoundingClientRect().top - before;
    return undefined;
  }

  #scrolled() {
    const { scrollTop: top, scrollHeight: height, clientHeight } = this.#element;
    // Any movement upwards lets go of the end, or growing text would pull the reader down again.
    const upwards = top < this.#last.top - 1 && height >= this.#last.height;
    this.#last = { top, height };
    const left = height - top - clientHeight;
    this.#setAtEnd(left < (upwards ? 2 : NEAR_END_PX));
    if (top < NEAR_TOP_PX) this.#onTop();
  }

  #setAtEnd(atEnd) {
    this.#atEnd = atEnd;
    this.#jump.hidden = atEnd;
    this.#onLook(atEnd);
  }
}
