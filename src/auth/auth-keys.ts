import { createPublicKey, type KeyObject } from 'node:crypto';
import { createRemoteJWKSet, type JWTVerifyGetKey } from 'jose';
import { ConfigError, type Config } from '../config/config.js';
import { keptSecret } from './secret-file.js';

/** What an application's tokens are checked with: a key, or where keys are had from, and the algorithms that go with it. */
export interface AppKeys {
  readonly getKey: JWTVerifyGetKey;
  /** The closed list of `alg`; what the token says of itself decides nothing (RFC 8725, 3.1). */
  readonly algorithms: readonly string[];
}

/** All keys of the service, read once at the start. */
export class AuthKeys {
  constructor(
    readonly app: AppKeys,
    /** What guest tokens are signed with; undefined where guests are not admitted. */
    readonly guestSecret: Uint8Array | undefined,
  ) {}
}

const JWKS_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
/** How long an unknown `kid` causes no further request: bounds what strangers can make us ask, and how late a new key is seen. */
const JWKS_COOLDOWN_MS = 10_000;
const JWKS_TIMEOUT_MS = 5000;
const MIN_RSA_BITS = 2048;

/**
 * Reads or makes the keys that `config` asks for.
 * @throws {ConfigError} where AUTH_JWT_PUBLIC_KEY or AUTH_JWKS_URL cannot be used.
 * @throws {Error} where a secret is needed in `DATA_DIR` and cannot be kept there.
 */
export async function loadAuthKeys(config: Config): Promise<AuthKeys> {
  const { AUTH_JWKS_URL: url, AUTH_JWT_PUBLIC_KEY: pem } = config;
  const guests = admitsGuests(config);
  if (url || pem) {
    const app = url ? keysAt(url) : publicKey(pem ?? '');
    return new AuthKeys(app, guests ? await ownSecret(config) : undefined);
  }
  const secret = await ownSecret(config);
  return new AuthKeys({ getKey: () => secret, algorithms: ['HS256'] }, guests ? secret : undefined);
}

/** The secret that the service's own tokens are signed with: AUTH_JWT_SECRET, else the one kept in `DATA_DIR`. */
export async function ownSecret(config: Pick<Config, 'AUTH_JWT_SECRET' | 'DATA_DIR'>): Promise<Uint8Array> {
  return new TextEncoder().encode(config.AUTH_JWT_SECRET ?? (await keptSecret(config.DATA_DIR)));
}

/** Whether guest tokens are good: also with `AUTH_REQUIRED=false`, where anybody may come as a guest anyhow. */
function admitsGuests(config: Config): boolean {
  return config.GUEST_ACCESS || !config.AUTH_REQUIRED;
}

function keysAt(address: string): AppKeys {
  const url = new URL(address);
  if (url.username || url.password) {
    throw new ConfigError(['AUTH_JWKS_URL must not hold a user name or password.']);
  }
  const options = { cooldownDuration: JWKS_COOLDOWN_MS, timeoutDuration: JWKS_TIMEOUT_MS };
  return { getKey: createRemoteJWKSet(url, options), algorithms: JWKS_ALGORITHMS };
}

function publicKey(pem: string): AppKeys {
  const key = readPublicKey(pem.replaceAll('\\n', '\n').trim());
  const algorithms = algorithmsOf(key);
  if (!algorithms) {
    throw new ConfigError([
      `AUTH_JWT_PUBLIC_KEY must be an RSA key of ${MIN_RSA_BITS} bits or more, or of P-256, P-384 or Ed25519.`,
    ]);
  }
  return { getKey: () => key, algorithms };
}

/** Only SPKI: Node would also take a private key here and keep quiet about it. */
function readPublicKey(pem: string): KeyObject {
  if (!pem.startsWith('-----BEGIN PUBLIC KEY-----')) {
    throw new ConfigError(['AUTH_JWT_PUBLIC_KEY must begin with -----BEGIN PUBLIC KEY----- (PEM, SPKI).']);
  }
  try {
    return createPublicKey(pem);
  } catch {
    throw new ConfigError(['AUTH_JWT_PUBLIC_KEY cannot be read as a public key.']);
  }
}

function algorithmsOf({
  asymmetricKeyType: type,
  asymmetricKeyDetails: details,
}: KeyObject): string[] | undefined {
  if (type === 'rsa') return (details?.modulusLength ?? 0) >= MIN_RSA_BITS ? ['RS256', 'PS256'] : undefined;
  if (type === 'ed25519') return ['EdDSA', 'Ed25519'];
  if (type !== 'ec') return undefined;
  if (details?.namedCurve === 'prime256v1') return ['ES256'];
  return details?.namedCurve === 'secp384r1' ? ['ES384'] : undefined;
}
