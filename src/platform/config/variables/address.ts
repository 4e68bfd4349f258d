import { choice, integer, list, optionalText, text } from '../fields.js';
import { trustedProxies } from '../limit-fields.js';

/** Where the service listens, for whom, and in which mode. */
export const ADDRESS = {
  PORT: integer(3000, 'Port to listen on; `0` takes a free one.', { max: 65_535 }),
  HOST: text('127.0.0.1', 'Address to listen on; `0.0.0.0` is all of them.'),
  LISTEN_HANDLES: integer(
    8,
    'Listening handles on `PORT`. Each accepts one connection per turn of the event loop, so several let clients that return at the same moment in faster. `1` uses Node’s own only.',
    { min: 1, max: 64 },
  ),
  TRUST_PROXY: trustedProxies(
    'Proxies before the server whose `X-Forwarded-For` is believed: a number of hops, or addresses, networks and `loopback`, `linklocal`, `uniquelocal`, separated by commas. Unset: none, the address is that of the socket. [Behind a proxy](deployment.md#tell-the-server-which-proxies-to-trust) it must be set.',
  ),
  CORS_ORIGINS: list(
    'Origins of other sites whose pages may use the server, separated by commas. Without it only its own page may. Also for WebSockets.',
    (word) => {
      const isOrigin = URL.canParse(word) && new URL(word).origin === word;
      if (!isOrigin) throw new Error('must be origins such as https://app.example.org, without a path');
    },
  ),
  TLS_CERT_FILE: optionalText(
    'Certificate (PEM, with its chain) for HTTPS and WSS by the process itself, where no proxy does TLS. A renewed one is taken within half a minute.',
  ),
  TLS_KEY_FILE: optionalText('Its private key (PEM, without a passphrase).'),
  NODE_ENV: choice(
    ['development', 'production', 'test'],
    'development',
    '`development`, `production` or `test`. In production conveniences are off: no `.env` file, no guests by default, no self-made secret; and the log is JSON.',
  ),
  LOG_LEVEL: choice(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    'info',
    '`fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`: what is [logged](monitoring.md#see-the-logs-and-find-an-error-by-its-correlation-id).',
  ),
};
