import { nameOf } from '../people.js';
import { byId } from './dom.js';

const LONGEST = 1000;

/** Tells screen readers what came: whole messages and finished answers, never single words of a growing one. */
export class Announcer {
  #element = byId('announcer');
  #conversation;
  #begun = new Set();

  constructor(conversation) {
    this.#conversation = conversation;
    conversation.on('arrived', (messages) => this.#arrived(messages));
    conversation.on('answer', (answer) => this.#writing(answer));
    conversation.on('ended', (answer) =>
      this.#say(answer.end.type === 'error' ? 'The answer failed.' : 'The answer was stopped.'),
    );
  }

  #writing({ streamId, state, end }) {
    if (!state || end || this.#begun.has(streamId)) return;
    this.#begun.add(streamId);
    this.#say('The assistant is answering.');
  }

  #arrived(messages) {
    const heard = messages.filter(({ senderId }) => senderId !== this.#conversation.identity.userId);
    if (heard.length > 0) this.#say(heard.map((message) => this.#sentence(message)).join('\n'));
  }

  #sentence({ role, senderId, content, metadata }) {
    const name =
      role === 'assistant' ? 'Assistant' : nameOf(senderId, this.#conversation.members.get(senderId)?.name);
    return `${name}${metadata.finish === 'cancelled' ? ' (stopped)' : ''}: ${content.slice(0, LONGEST)}`;
  }

  #say(text) {
    this.#element.textContent = text;
  }
}
