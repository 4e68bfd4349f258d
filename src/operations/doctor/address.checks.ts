import { SOCKET_PATH } from '../../protocol/index.js';
import { fail, ok, type Finding } from './finding.js';

const TIMEOUT_MS = 15_000;
const HOST_REMEDY =
  'Let the proxy forward the Host header unchanged, port included (nginx: proxy_set_header Host $http_host;), or name the origin in CORS_ORIGINS.';
const CHAIN_REMEDY =
  'Browsers refuse it, too. Serve the full chain (fullchain.pem). For a certificate authority of your own, run this command with NODE_EXTRA_CA_CERTS.';
const RENEW_REMEDY = 'Browsers refuse it, too. Renew it, and let the proxy load the new one.';

/** What is wrong if a connection fails with an error of this code, and what to do. */
const CONNECTION_FAULTS: Record<string, readonly [message: string, remedy: string]> = {
  ECONNREFUSED: [
    'Nothing listens on this port: the connection is refused.',
    'Start the server or the proxy, or correct the port.',
  ],
  ENOTFOUND: ['DNS does not know this name.', 'Correct the name, or add it to DNS.'],
  EAI_AGAIN: ['DNS does not respond.', 'Check the DNS settings of this machine.'],
  EHOSTUNREACH: ['There is no route to this address.', 'Correct the address, or check the network.'],
  ENETUNREACH: ['There is no route to this address.', 'Correct the address, or check the network.'],
  ETIMEDOUT: ['There is no response in time.', 'A firewall may drop packets. Open the port.'],
  ECONNRESET: [
    'The connection is closed before a response.',
    'Check whether the port expects https:// or http://.',
  ],
  CERT_HAS_EXPIRED: ['The certificate has expired.', RENEW_REMEDY],
  CERT_NOT_YET_VALID: [
    'The certificate is not valid yet.',
    'Check the clocks of both machines, or issue a new certificate.',
  ],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'The certificate is for another name.',
    'Browsers refuse it, too. Use its name, or get a certificate for this one.',
  ],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['The certificate is self-signed.', CHAIN_REMEDY],
  SELF_SIGNED_CERT_IN_CHAIN: ['The certificate’s authority is unknown to this machine.', CHAIN_REMEDY],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [
    'The certificate’s chain is incomplete, or its authority is unknown to this machine.',
    CHAIN_REMEDY,
  ],
  UNABLE_TO_GET_ISSUER_CERT: ['The certificate’s chain is incomplete.', CHAIN_REMEDY],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: [
    'The certificate’s authority is unknown to this machine.',
    CHAIN_REMEDY,
  ],
  ERR_SSL_WRONG_VERSION_NUMBER: ['This port does not speak TLS.', 'Use http://, or the HTTPS port.'],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ['This port does not speak TLS.', 'Use http://, or the HTTPS port.'],
};
const ALIASES: Record<string, string> = {
  UND_ERR_SOCKET: 'ECONNRESET',
  UND_ERR_CONNECT_TIMEOUT: 'ETIMEDOUT',
  UND_ERR_HEADERS_TIMEOUT: 'ETIMEDOUT',
  TimeoutError: 'ETIMEDOUT',
};

/** Checks whether a ready Streamgate responds at `url`. Redirects are not followed, because sockets do not follow them either. */
export async function checkAddress(url: string): Promise<Finding> {
  let response: Response;
  try {
    response = await request(`${url}/api/ws/health/ready`);
  } catch (error) {
    return unreachable(url, error);
  }
  const body = await response.text().catch(() => '');
  if (response.status >= 300 && response.status < 400) return redirected(url, response);
  const status = statusOf(body);
  if (response.ok && status !== undefined) return ok('address', `${url} responds.`);
  if (status !== undefined) {
    return fail('address', `Streamgate responds but is not ready: ${status}.`, 'See its log.');
  }
  return notStreamgate(url, response.status, body);
}

/** Checks whether a page served from `url` may connect, by sending its `Origin` as a browser does. */
export async function checkOrigin(url: string): Promise<Finding> {
  const { origin } = new URL(url);
  const response = await request(`${url}${SOCKET_PATH}/?EIO=4&transport=polling`, { origin }).catch(
    () => undefined,
  );
  const problem = (await response?.json().catch(() => undefined)) as
    { code?: string; detail?: string } | undefined;
  if (response?.status !== 403 || problem?.code !== 'forbidden') {
    return ok('origin', `Pages of ${origin} may connect.`);
  }
  return fail('origin', `Every browser is refused. ${problem.detail}`, HOST_REMEDY);
}

/** Returns the finding for a request to `url` that got no response. */
function unreachable(url: string, error: unknown): Finding {
  const cause = causeOf(error);
  const code = ALIASES[cause.code] ?? cause.code;
  const [message, remedy] = CONNECTION_FAULTS[code] ?? [cause.message, 'Check that the server runs there.'];
  return fail('address', `${url} cannot be reached. ${message} (${cause.code || 'no code'})`, remedy);
}

function request(url: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { headers, redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) });
}

function causeOf(error: unknown): { code: string; message: string } {
  const { cause, name, message } = error as Error & { cause?: { code?: string; message?: string } };
  const text =
    cause?.message === 'bad port'
      ? 'The connection is refused: browsers do not open this port.'
      : (cause?.message ?? message);
  return { code: cause?.code ?? (name === 'TimeoutError' ? name : ''), message: text };
}

function redirected(url: string, { status, headers }: Response): Finding {
  const location = headers.get('location') ?? '';
  const target = URL.canParse(location, url) ? new URL(location, url).origin : location;
  const remedy =
    target === new URL(url).origin
      ? 'The proxy must pass /api/ on to Streamgate without a redirect.'
      : `Use that address, in apps as well: --url ${target}`;
  return fail('address', `${url} redirects to ${target} (${status}), and sockets do not follow.`, remedy);
}

/** Returns the health's `status` word, or undefined if `body` is not a health response of Streamgate. */
function statusOf(body: string): string | undefined {
  try {
    const { status, details, error } = JSON.parse(body) as Record<string, unknown>;
    if (typeof status !== 'string' || typeof details !== 'object') return undefined;
    const down = Object.keys((error as object | undefined) ?? {}).join(', ');
    return down === '' ? status : `${status}, ${down} down`;
  } catch {
    return undefined;
  }
}

function notStreamgate(url: string, status: number, body: string): Finding {
  if (/HTTP request was sent to HTTPS port|HTTP request to an HTTPS server/i.test(body)) {
    return fail('address', `${url} expects HTTPS (${status}).`, 'Use https://.');
  }
  if ([502, 503, 504].includes(status)) {
    const remedy = 'Start Streamgate, or correct the address that the proxy passes requests on to.';
    return fail('address', `The proxy at ${url} responds but cannot reach Streamgate (${status}).`, remedy);
  }
  if (status === 401 || status === 403 || status === 407) {
    const remedy = 'Let the proxy pass /api/ on without a sign-in of its own.';
    return fail('address', `The proxy at ${url} refuses the request itself (${status}).`, remedy);
  }
  const remedy = 'Correct the address, or let the proxy pass /api/ on to Streamgate.';
  return fail('address', `A server responds at ${url}, but it is not Streamgate (${status}).`, remedy);
}
