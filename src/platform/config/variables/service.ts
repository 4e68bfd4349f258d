import {
  choice,
  integer,
  list,
  optionalInteger,
  optionalText,
  optionalUrl,
  text,
  type Field,
} from '../fields.js';
import { trustedProxies } from '../limit-fields.js';

/** The addresses and the mode of the service. */
export const ADDRESS = {
  PORT: integer(3000, 'Port to listen on. `0` picks a free one.', { max: 65_535 }),
  HOST: text('127.0.0.1', 'Address to listen on. `0.0.0.0` is every address of the machine.'),
  LISTEN_HANDLES: integer(
    8,
    'Listening handles on `PORT`. Each accepts one connection per turn of the event loop, so several let in clients that return at the same moment faster. `1`: only Node’s own.',
    { min: 1, max: 64 },
  ),
  TRUST_PROXY: trustedProxies(
    'Proxies in front of the server whose `X-Forwarded-For` is trusted: a number of hops, or addresses, networks and `loopback`, `linklocal`, `uniquelocal`, separated by commas. `Forwarded` is not read. Unset: none, and the address is that of the socket. [Behind a proxy](deployment.md#tell-the-server-which-proxies-to-trust) it must be set.',
  ),
  CORS_ORIGINS: list(
    'Origins of other sites whose pages may use the server, also by WebSocket, separated by commas. Unset: only its own pages may.',
    (word) => {
      if (!isOrigin(word)) throw new Error('must be origins such as https://app.example.org, without a path');
    },
  ),
  TLS_CERT_FILE: optionalText(
    'Certificate (PEM, with its chain) for HTTPS and WSS without a proxy. A renewed one is loaded within half a minute.',
  ),
  TLS_KEY_FILE: optionalText('Its private key (PEM, without a passphrase).'),
  NODE_ENV: choice(
    ['development', 'production', 'test'],
    'development',
    '`development`, `production` or `test`. In production there is no `.env` file, no guest access by default and no generated secret, and the log is JSON.',
  ),
  LOG_LEVEL: choice(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    'info',
    '`fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`: what is [logged](monitoring.md#see-the-logs-and-find-an-error-by-its-correlation-id).',
  ),
};

/** Whether `word` is scheme, host and port, as browsers send it; also of a scheme of an app's own (`capacitor://localhost`). */
function isOrigin(word: string): boolean {
  if (!URL.canParse(word)) return false;
  const { origin, protocol, host } = new URL(word);
  return origin === word || (origin === 'null' && host !== '' && `${protocol}//${host}` === word);
}

/** The database and the data folder. */
export const DATABASE = {
  DATABASE_URL: optionalUrl(
    ['postgres:', 'postgresql:'],
    'Your own PostgreSQL 15 or later, such as `postgres://user:password@host:5432/name`. Without it an embedded one is started.',
  ),
  DATA_DIR: text('./data', 'Folder of the embedded database, and of the token secret if one was made here.'),
  DATABASE_POOL_SIZE: integer(
    10,
    'Pool size for reads and rare writes, 2 to 1000. A few more connections write messages and chunks.',
    {
      min: 2,
      max: 1000,
    },
  ),
  REDIS_URL: optionalText('Reserved for later. The server refuses to start if it is set.', () => {
    throw new Error('is not supported yet: Streamgate runs as one node; leave it unset');
  }),
};

/** Shutdown of the service. */
export const SHUTDOWN = {
  SHUTDOWN_GRACE_MS: integer(
    30_000,
    'Longest time from SIGTERM to the end of the process, which then exits with 1. Answers that no other process can continue may use most of it to finish.',
    { min: 100 },
  ),
  SHUTDOWN_SPREAD_MS: integer(
    5000,
    'Time after SIGTERM over which connections are closed, each at a random moment of its last 70 %, and in which answers may still end on this node. `0`: all at once. At most half of `SHUTDOWN_GRACE_MS` counts.',
  ),
};

/** Metrics for Prometheus. */
export const METRICS = {
  METRICS_PORT: optionalInteger(
    'A separate port for the [metrics](monitoring.md#metrics-for-prometheus); `0` picks a free one. Unset: the metrics are at `/metrics` on `PORT`.',
    { max: 65_535 },
  ),
  METRICS_TOKEN: optionalText(
    'Bearer token with which Prometheus reads the metrics, at least 16 characters. On `PORT`, admins may read them too. On `METRICS_PORT`, only this token may; without it, everybody who reaches the port.',
    (token) => {
      if (!/^[!-~]{16,}$/.test(token)) {
        throw new Error('must have at least 16 characters, printable ASCII without spaces');
      }
    },
  ),
} as const;

const ratio: Field<number> = {
  defaultText: '1',
  doc: 'Share of the traces that are recorded, 0 to 1. A trace that a caller began with `traceparent` follows the caller’s decision.',
  parse: (value) => {
    const share = /^(0|1|0?\.\d+|1\.0+|0\.\d+)$/.test(value) ? Number(value) : Number.NaN;
    if (!(share >= 0 && share <= 1)) throw new Error('must be a number from 0 to 1');
    return share;
  },
};

/** Export of traces. */
export const TRACING = {
  OTEL_EXPORTER_OTLP_ENDPOINT: optionalUrl(
    ['http:', 'https:'],
    'Base URL of an OpenTelemetry collector that takes OTLP over HTTP, such as `http://127.0.0.1:4318`. Unset: nothing is [traced](monitoring.md#traces-opentelemetry).',
  ),
  OTEL_SERVICE_NAME: text('streamgate', 'Name of this service in traces.'),
  OTEL_TRACES_SAMPLER_ARG: ratio,
};
