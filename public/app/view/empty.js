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

/** What is shown where the server takes no guests, or refused a token: how to get in. `onToken(token)` takes one. */
export function signIn({ message }, onToken) {
  const command = make('code', '', { children: ['npm run -s token -- --sub you'] });
  const fragment = make('code', '', { children: ['#token=…'] });
  const why =
    'This server takes no guests: GUEST_ACCESS is off, as it is in production. Use a token of your application, or make one where the server runs: ';
  const keeps = 'It stays in this tab until you close it. An address that ends in ';
  return [
    icon('mark', 'mark'),
    make('h2', '', { children: ['Sign in with a token'] }),
    make('p', '', { children: [why, command] }),
    tokenForm(message, onToken),
    make('p', 'hint', { children: [keeps, fragment, ' signs in, too.'] }),
  ];
}

function tokenForm(message, onToken) {
  const input = make('input', '', {
    ...{ id: 'token-input', type: 'password', autocomplete: 'off', spellcheck: 'false' },
    'aria-describedby': 'token-note',
  });
  const button = make('button', 'button solid', { type: 'submit', children: ['Sign in'] });
  const form = make('form', 'field sign-in', {
    children: [
      make('label', '', { for: 'token-input', children: ['Token'] }),
      make('div', 'field-row', { children: [input, button] }),
      make('p', 'field-note bad', { id: 'token-note', role: 'alert', children: [message] }),
    ],
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const token = input.value.trim();
    if (token) onToken(token);
  });
  return form;
}
