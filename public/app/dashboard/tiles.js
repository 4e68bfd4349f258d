import { count, duration, rate } from './units.js';

const GOOD = { level: 'good' };

/** The panels, in reading order: what each shows of a History, and when it is worth a look. */
export const TILES = [
  {
    id: 'connections',
    title: 'Connections',
    format: count,
    lines: [{ name: 'open', read: (history) => history.values(open) }],
    note: ({ connections: { users, max } }) => `${count(users)} users · room for ${count(max)}`,
    judge: ({ connections }) =>
      open({ connections }) > 0.9 * connections.max
        ? { level: 'warn', says: 'nearly all connections are taken' }
        : GOOD,
  },
  {
    id: 'messages',
    title: 'Messages per second',
    format: rate,
    lines: [{ name: 'stored', read: (history) => history.rates(({ totals }) => totals.messages) }],
    note: ({ totals }, history) =>
      `${rate(history.rates(({ totals: all }) => all.events).at(-1))} events/s · ${count(totals.messages)} in all`,
  },
  {
    id: 'streams',
    title: 'Running answers',
    format: count,
    lines: [{ name: 'running', read: (history) => history.values(({ streams }) => streams.running) }],
    note: ({ streams }, history) =>
      `${rate(history.rates(({ totals }) => totals.chunks).at(-1))} chunks/s · ${count(streams.failed)} failed in all`,
  },
  {
    id: 'first-chunk',
    title: 'Time to first chunk',
    format: duration,
    lines: [
      { name: 'p50', read: (history) => history.latencies(0.5) },
      { name: 'p95', read: (history) => history.latencies(0.95) },
    ],
    note: () => 'of the last minute’s answers',
  },
  {
    id: 'queue',
    title: 'Waiting in the queue',
    format: count,
    lines: [{ name: 'deliveries', read: (history) => history.values(({ queued }) => queued) }],
    note: ({ queued }) => (queued === null ? 'it could not be counted' : 'for members who are away'),
    judge: ({ queued }) => (queued === null ? { level: 'warn', says: 'the queue cannot be counted' } : GOOD),
  },
  {
    id: 'event-loop',
    title: 'Event-loop delay',
    format: duration,
    lines: [
      { name: 'p99', read: (history) => history.values(({ eventLoop }) => eventLoop.p99Ms) },
      { name: 'worst', read: (history) => history.values(({ eventLoop }) => eventLoop.maxMs) },
    ],
    note: () => 'in each second',
    judge: ({ eventLoop: { p99Ms } }) => {
      if (p99Ms >= 500) return { level: 'bad', says: 'the process is overloaded' };
      return p99Ms >= 100 ? { level: 'warn', says: 'the process is busy' } : GOOD;
    },
  },
  {
    id: 'pool',
    title: 'Database pool',
    format: count,
    lines: [
      { name: 'busy', read: (history) => history.values(({ pool }) => pool.busy) },
      { name: 'waiting', read: (history) => history.values(({ pool }) => pool.waiting) },
    ],
    note: ({ pool }) => `${count(pool.idle)} idle · at most ${count(pool.max)}`,
    judge: ({ pool }) =>
      pool.waiting > pool.max ? { level: 'warn', says: 'queries wait for the database' } : GOOD,
  },
];

function open({ connections: { websocket, polling } }) {
  return websocket + polling;
}

const RANK = { good: 0, warn: 1, bad: 2 };

/** The worst of what there is to say, and all of it in words. */
export function verdictOf(figures) {
  const found = [
    ...TILES.map(({ judge }) => judge?.(figures) ?? GOOD),
    ...figures.providers.map(judgeProvider),
  ];
  if (figures.draining) found.push({ level: 'warn', says: 'the server is shutting down' });
  const worst = found.reduce((a, b) => (RANK[b.level] > RANK[a.level] ? b : a), GOOD);
  const says = found.filter((one) => one.says).map((one) => one.says);
  return { level: worst.level, text: says.length === 0 ? 'All is well.' : `${capital(says.join('; '))}.` };
}

function judgeProvider({ name, breaker }) {
  if (breaker === 'open')
    return { level: 'bad', says: `the provider ${name} fails, and is left alone for a while` };
  return breaker === 'half-open'
    ? { level: 'warn', says: `the provider ${name} is being tried again` }
    : GOOD;
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
