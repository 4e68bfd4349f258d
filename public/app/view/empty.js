import { icon, make } from './dom.js';

const SUGGESTIONS = [
  'How do I use my own PostgreSQL?',
  'How do I connect with Socket.IO?',
  'What happens to an answer when the server is killed?',
];

/** What a new conversation shows: what this is, and questions to begin with. */
export function welcome(onAsk) {
  const buttons = SUGGESTIONS.map((question) => {
    const button = make('button', 'suggestion', { type: 'button', children: [question] });
    button.addEventListener('click', () => onAsk(question));
    return button;
  });
  return [
    icon('mark', 'mark'),
    make('h2', '', { children: ['What would you like to know?'] }),
    make('p', '', {
      children: [
        'Answers stream in for everybody in the conversation, and go on when you reload in the middle of one.',
      ],
    }),
    make('div', 'suggestions', { role: 'group', 'aria-label': 'Suggested questions', children: buttons }),
  ];
}

/** What a conversation shows that cannot be joined. */
export function closedDoor(failure, onNew) {
  const button = make('button', 'button solid', { type: 'button', children: ['Start a new conversation'] });
  button.addEventListener('click', onNew);
  const full = failure.code === 'conflict';
  const unknown = failure.code === 'not_found' || failure.code === 'forbidden';
  const reason = full
    ? 'It has as many members as it may have.'
    : unknown
      ? 'It has not been shared with you, or it has been deleted. Ask its owner to open it with Share.'
      : failure.message;
  return [
    icon('mark', 'mark'),
    make('h2', '', { children: ['You cannot enter this conversation'] }),
    make('p', '', { children: [reason] }),
    button,
  ];
}
