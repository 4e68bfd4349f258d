import { choice, integer, list, optionalText, text } from '../fields.js';
import { trustedProxies } from '../limit-fields.js';

/** The addresses and the mode of the service. */
export const ADDRESS = {
  PORT: integer(3000, 'Port to listen on. `0` takes a free one.', { max: 65_535 }),
  HOST: text('127.0.0.1', 'Address to listen on. `0.0.0.0` is every address of the machine.'),
  LISTEN_HANDLES: integer(
    8,
    'Listening handles on `PORT`. Each accepts one connection per turn of the event loop, so several let clients that return at the same moment in faster. `1` uses Node’s own only.',
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
    '`development`, `production` or `test`. In production there is no `.env` file, no guest by default and no generated secret, and the log is JSON.',
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
