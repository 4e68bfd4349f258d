import { byId, make, setText } from '../view/dom.js';
import { startTheme } from '../view/theme.js';
import { History } from './history.js';
import { Panel } from './panel.js';
import { Poller } from './poller.js';
import { TILES, verdictOf } from './tiles.js';
import { age, bytes } from './units.js';

const TOKEN_KEY = 'streamgate.admin-token';
const REFUSALS = {
  forbidden: 'This token is not an admin’s: its roles must contain “admin”.',
  token_expired: 'This token has expired. Make a new one.',
  unauthenticated: 'This is no token of this server, or it was revoked.',
};

const history = new History();
const panels = TILES.map((tile) => new Panel(tile));
const facts = make('ul', 'facts');
const process = make('section', 'tile', {
  'aria-labelledby': 'title-process',
  children: [make('h2', 'tile-title', { id: 'title-process', children: ['This process'] }), facts],
});
const poller = new Poller({ figures: showFigures, failed: showFailure, refused: showRefusal });

function showFigures(figures) {
  history.add(figures);
  showSignIn(false);
  setPhase('connected', 'Live');
  for (const panel of panels) panel.show(history);
  const { level, text } = verdictOf(figures);
  byId('verdict').dataset.level = level;
  setText(byId('verdict'), text);
  showFacts(figures);
}

function showFacts({ node, uptimeMs, rssBytes, providers }) {
  const entries = [
    ['Node', node.slice(-12)],
    ['Up for', age(uptimeMs)],
    ['Memory', bytes(rssBytes)],
    ...providers.map(({ name, breaker }) => [`Provider ${name}`, `breaker ${breaker}`]),
  ];
  const items = entries.map(([name, value]) =>
    make('li', 'fact', {
      children: [
        make('span', 'fact-name', { children: [name] }),
        make('span', 'fact-value', { children: [value] }),
      ],
    }),
  );
  facts.replaceChildren(...items);
}

function showFailure(_failure, waitMs) {
  setPhase('connecting', `No answer. Next try in ${Math.ceil(waitMs / 1000)} s`);
  byId('verdict').dataset.level = 'bad';
  setText(byId('verdict'), 'The server does not answer. These are the last figures.');
}

function showRefusal(failure) {
  sessionStorage.removeItem(TOKEN_KEY);
  setPhase('refused', 'Not signed in');
  showSignIn(true);
  setText(byId('token-note'), REFUSALS[failure.code] ?? failure.message);
  byId('token').select();
}

function setPhase(phase, label) {
  byId('link-state').dataset.phase = phase;
  setText(byId('link-label'), label);
}

function showSignIn(isShown) {
  byId('sign-in').hidden = !isShown;
  byId('figures').hidden = isShown;
  byId('leave').hidden = isShown;
}

function begin(token) {
  setPhase('connecting', 'Connecting');
  poller.start(token);
}

byId('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  const token = byId('token').value.trim();
  if (token === '') return;
  setText(byId('token-note'), '');
  sessionStorage.setItem(TOKEN_KEY, token);
  byId('token').value = '';
  begin(token);
});
byId('leave').addEventListener('click', () => {
  poller.stop();
  sessionStorage.removeItem(TOKEN_KEY);
  setPhase('offline', 'Not signed in');
  showSignIn(true);
  byId('token').focus();
});
byId('tiles').append(...panels.map(({ element }) => element), process);
startTheme();
new MutationObserver(() => {
  for (const panel of panels) panel.restyle();
}).observe(document.documentElement, { attributeFilter: ['data-look'] });

const kept = sessionStorage.getItem(TOKEN_KEY);
if (kept) begin(kept);
else showSignIn(true);
