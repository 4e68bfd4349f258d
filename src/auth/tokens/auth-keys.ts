import { createPublicKey, type KeyObject } from 'node:crypto';
import { createRemoteJWKSet, type JWTVerifyGetKey } from 'jose';
import { ConfigError, type Config } from '../../platform/config/config.js';
import { loadOrCreateSecret } from './secret-file.js';

/** A key that verifies tokens, or a function that fetches keys. */
export interface KnownKey {
  readonly key: Uint8Array | KeyObject | JWTVerifyGetKey;
  /** The `alg` values accepted with this key. The token's own header never decides (RFC 8725, 3.1). */
  readonly algorithms: readonly string[];
}

/** All keys of the service, loaded once at startup. */
export class AuthKeys {
  constructor(
    /** Keys that verify an application's tokens. A token must match one of them. */
    readonly app: readonly KnownKey[],
    /** The service's own secrets, for guest tokens and tickets. The first signs, any of them verifies. */
    readonly own: readonly [Uint8Array, ...Uint8Array[]],
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
/** Shortest time between two fetches for an unknown `kid`. Bounds the fetches that strangers can cause, but delays a new key. */
const JWKS_COOLDOWN_MS = 10_000;
const JWKS_TIMEOUT_MS = 5000;
const MIN_RSA_BITS = 2048;
const PEM_BLOCK = /-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----/g;

/**
 * Loads or creates the keys that `config` asks for.
 * @throws {ConfigError} when AUTH_JWT_PUBLIC_KEY or AUTH_JWKS_URL cannot be used.
 * @throws {Error} when a secret is needed in `DATA_DIR` and cannot be stored there.
 */
export async function loadAuthKeys(config: Config): Promise<AuthKeys> {
  const external = externalKeys(config);
  const own = await ownSecrets(config);
  return new AuthKeys(external ?? own.map(sharedSecret), own);
}

/** Returns the keys of tokens that are signed elsewhere; undefined when the service's own secrets sign them. @throws {ConfigError} */
export function externalKeys({
  AUTH_JWKS_URL: url,
  AUTH_JWT_PUBLIC_KEY: pem,
}: Partial<Pick<Config, 'AUTH_JWKS_URL' | 'AUTH_JWT_PUBLIC_KEY'>>): KnownKey[] | undefined {
  if (url) return [keysAt(url)];
  return pem ? publicKeys(pem) : undefined;
}

/**
 * Returns the secrets that sign the service's own tokens: AUTH_JWT_SECRET, else the one stored in `DATA_DIR`. The first
 * one signs.
 */
export async function ownSecrets(
  config: Pick<Config, 'AUTH_JWT_SECRET' | 'DATA_DIR'>,
): Promise<[Uint8Array, ...Uint8Array[]]> {
  const [first, ...others] = config.AUTH_JWT_SECRET;
  const encoder = new TextEncoder();
  return [
    encoder.encode(first ?? (await loadOrCreateSecret(config.DATA_DIR))),
    ...others.map((secret) => encoder.encode(secret)),
  ];
}

/** Wraps `secret` as a key for HS256 and nothing else. */
export function sharedSecret(secret: Uint8Array): KnownKey {
  return { key: secret, algorithms: ['HS256'] };
}

function keysAt(address: string): KnownKey {
  const url = new URL(address);
  if (url.username || url.password) {
    throw new ConfigError(['AUTH_JWKS_URL must not contain a user name or password.']);
  }
  const options = { cooldownDuration: JWKS_COOLDOWN_MS, timeoutDuration: JWKS_TIMEOUT_MS };
  return { key: createRemoteJWKSet(url, options), algorithms: JWKS_ALGORITHMS };
}

/** Reads one key per PEM block; other text is an error. Only SPKI: Node would silently accept a private key too. */
function publicKeys(text: string): KnownKey[] {
  const pem = text.replaceAll('\\n', '\n');
  const blocks = pem.match(PEM_BLOCK) ?? [];
  if (blocks.length === 0 || pem.replaceAll(PEM_BLOCK, '').trim() !== '') {
    throw new ConfigError([
      'AUTH_JWT_PUBLIC_KEY must be one or more keys from -----BEGIN PUBLIC KEY----- to -----END PUBLIC KEY----- (PEM, SPKI).',
    ]);
  }
  return blocks.map(publicKey);
}

function publicKey(pem: string): KnownKey {
  const key = readPublicKey(pem);
  const algorithms = algorithmsOf(key);
  if (!algorithms) {
    throw new ConfigError([
      `AUTH_JWT_PUBLIC_KEY must be an RSA key of ${MIN_RSA_BITS} bits or more, or of P-256, P-384 or Ed25519.`,
    ]);
  }
  return { key, algorithms };
}

function readPublicKey(pem: string): KeyObject {
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
