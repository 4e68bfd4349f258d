import { explain } from '../failure.js';
import { copyText, icon, iconButton, make, setText } from './dom.js';
import { assistantAvatar } from './avatar.js';
import { MarkdownView } from './markdown.js';
import { showTime, timeElement } from './time.js';

const QUESTION_CHARS = 90;
const COPIED_FOR_MS = 1600;

/** An answer: while it is written, and as the message that it becomes, in the same elements. */
export class AssistantView {
  element = make('li', 'entry assistant');
  #time = timeElement();
  #reply = make('p', 'reply');
  #thinking = new ThinkingView();
  #waiting = new WaitingView();
  #text = new MarkdownView();
  #foot = make('div', 'foot');
  #conversation;
  #state = '';
  #entry = null;

  constructor(conversation) {
    this.#conversation = conversation;
    const author = make('span', 'author', { children: ['Assistant'] });
    const byline = make('div', 'byline', { children: [author, this.#time] });
    const parts = [
      byline,
      this.#reply,
      this.#thinking.element,
      this.#waiting.element,
      this.#text.element,
      this.#foot,
    ];
    this.element.append(assistantAvatar(), make('div', 'body', { children: parts }));
  }

  update(entry) {
    this.#entry = entry;
    showTime(this.#time, entry.at);
    this.#showQuestion(entry.question);
    this.showText();
    this.#showState();
  }

  /** Shows the text as far as it has come; the only part that runs for each chunk. */
  showText() {
    const { answer, message, extras } = this.#entry;
    const text = message?.content ?? answer.text;
    const writing = Boolean(answer && !answer.end);
    this.#text.show(text);
    this.#thinking.show((answer ?? extras)?.reasoning);
    this.#waiting.show(writing && !text, answer?.progress);
    this.element.classList.toggle('streaming', writing);
    this.element.setAttribute('aria-busy', String(writing));
  }

  #showQuestion(question) {
    const text = question?.text.replaceAll(/\s+/gu, ' ') ?? '';
    const short = text.length > QUESTION_CHARS ? `${text.slice(0, QUESTION_CHARS)}…` : text;
    this.#reply.hidden = !short;
    if (this.#reply.textContent === short || !short) return;
    this.#reply.replaceChildren(icon('reply'), make('span', '', { dir: 'auto', children: [short] }));
  }

  #showState() {
    const { answer, message, extras, isLast, replyTo } = this.#entry;
    const stoppable = answer && this.#conversation.mayStop(answer);
    const finish = message?.metadata.finish ?? answer?.end?.type;
    const question = finish === 'error' && isLast ? this.#conversation.questionOf(replyTo) : undefined;
    const state = `${Boolean(stoppable)} ${finish} ${answer?.state.status} ${question?.id}`;
    if (this.#state === state) return;
    this.#state = state;
    this.#foot.replaceChildren();
    if (stoppable) this.#foot.append(this.#stopButton(answer));
    if (answer && !answer.end) this.#foot.append(...pauseNote(answer.state.status));
    if (finish) this.#foot.append(...endNote(finish, (answer ?? extras)?.end, message));
    if (question) this.#foot.append(this.#againButton(question, answer?.streamId));
    if (finish) this.#foot.append(this.#copyButton());
  }

  #againButton(question, streamId) {
    const button = make('button', 'button text again', { type: 'button', children: ['Try again'] });
    button.addEventListener('click', () => {
      button.disabled = true;
      this.#conversation.askAgain(question, streamId);
    });
    return button;
  }

  #stopButton(answer) {
    const button = iconButton('pill stop', 'stop', 'Stop');
    button.setAttribute('aria-label', 'Stop the answer');
    button.addEventListener('click', async () => {
      button.disabled = true;
      try {
        await this.#conversation.stop(answer);
      } catch (failure) {
        button.disabled = false;
        if (failure.code !== 'stream_ended') this.#conversation.emit('notice', explain(failure));
      }
    });
    return button;
  }

  #copyButton() {
    const button = iconButton('tool', 'copy', 'Copy');
    button.setAttribute('aria-label', 'Copy the answer');
    const label = button.querySelector('span');
    button.addEventListener('click', async () => {
      const { answer, message } = this.#entry;
      setText(label, (await copyText(message?.content ?? answer.text)) ? 'Copied' : 'Not copied');
      setTimeout(() => setText(label, 'Copy'), COPIED_FOR_MS);
    });
    return button;
  }
}

function pauseNote(status) {
  if (status === 'paused') return [make('span', 'note', { children: ['Paused'] })];
  if (status === 'interrupted')
    return [make('span', 'note', { children: ['Interrupted; it goes on in a moment'] })];
  return [];
}

function endNote(finish, end, message) {
  if (finish === 'cancelled') return [make('span', 'note stopped', { children: ['Stopped'] })];
  if (finish === 'complete') return reasonNote(message?.metadata.reason ?? end?.metadata?.reason);
  if (finish !== 'error') return [];
  const reason = end?.metadata?.error ? explain(end.metadata.error) : 'An error ended this answer early.';
  return [make('span', 'note bad', { children: [reason] })];
}

/** Says why an answer is not what it might have been. */
function reasonNote(reason) {
  const notes = {
    length: 'The model reached its longest answer',
    content_filter: 'Cut by the content filter of the model',
  };
  return notes[reason] ? [make('span', 'note', { children: [notes[reason]] })] : [];
}

/** The model's reasoning, folded away. */
class ThinkingView {
  element = make('details', 'thinking', { children: [make('summary', '', { children: ['Reasoning'] })] });
  #text = make('div', 'plain', { dir: 'auto' });

  constructor() {
    this.element.append(this.#text);
    this.element.hidden = true;
  }

  /** Without `reasoning` it stays as it is: the message of the log does not have it. */
  show(reasoning) {
    if (!reasoning) return;
    this.element.hidden = false;
    setText(this.#text, reasoning);
  }
}

/** Dots until the first word, with what the provider says that it is doing. */
class WaitingView {
  element = make('div', 'waiting');
  #label = make('span');

  constructor() {
    const dots = make('span', 'dots', { 'aria-hidden': 'true', children: [make('i'), make('i'), make('i')] });
    this.element.append(dots, this.#label);
    this.element.hidden = true;
  }

  show(visible, progress = '') {
    this.element.hidden = !visible;
    setText(this.#label, progress);
  }
}
