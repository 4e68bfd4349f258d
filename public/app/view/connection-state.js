import { explain } from '../failure.js';
import { byId, setText } from './dom.js';

const LABELS = {
  connecting: 'Connecting',
  connected: 'Connected',
  waiting: 'Reconnecting',
  offline: 'Offline',
  refused: 'Not connected',
};
/** Interruptions shorter than this are not worth a banner. */
const PATIENCE_MS = 1200;

/** Tells how the connection is: a dot in the bar, and a banner once something keeps it away. */
export class ConnectionState {
  #connection;
  #since = 0;
  #timer;

  constructor(connection) {
    this.#connection = connection;
    connection.on('phase', () => this.#show());
    byId('banner-action').addEventListener('click', () => connection.retryNow());
    this.#show();
  }

  #show() {
    clearTimeout(this.#timer);
    const { phase, failure, retryAt } = this.#connection.state;
    if (phase === 'connected') this.#since = 0;
    else this.#since ||= Date.now();
    byId('link-state').dataset.phase = phase;
    setText(
      byId('link-state').querySelector('.link-label'),
      failure?.code === 'sign_in' ? 'Not signed in' : LABELS[phase],
    );
    this.#showBanner();
    if (phase === 'connected') return;
    // Once a second for the countdown, and once when patience ends.
    const next = retryAt ? (retryAt - Date.now()) % 1000 : PATIENCE_MS;
    this.#timer = setTimeout(() => this.#show(), Math.max(next, 100));
  }

  #showBanner() {
    const { phase, failure, retryAt } = this.#connection.state;
    const banner = byId('banner');
    const asksForToken = failure?.code === 'sign_in';
    const patient = phase !== 'refused' && Date.now() - this.#since < PATIENCE_MS;
    if (phase === 'connected' || patient || asksForToken) {
      banner.hidden = true;
      return;
    }
    banner.dataset.phase = phase;
    setText(byId('banner-text'), sentence(phase, failure));
    const seconds = retryAt ? Math.max(1, Math.ceil((retryAt - Date.now()) / 1000)) : 0;
    setText(byId('banner-countdown'), seconds ? `Next try in ${seconds} s.` : '');
    byId('banner-action').hidden = phase === 'connecting';
    banner.hidden = false;
  }
}

function sentence(phase, failure) {
  if (phase === 'offline') return 'You are offline. What you write is kept and sent when you are back.';
  if (failure?.code === 'origin') return failure.message;
  if (phase === 'refused') return `The server refused the connection: ${explain(failure)}`;
  if (failure && failure.code !== 'unreachable') return explain(failure);
  return 'The connection is interrupted. What you write is kept and sent later.';
}
