import { parseArgs } from 'node:util';
import { randomText } from '../../common/ids.js';
import type { Config } from '../../platform/config/config.js';
import { loadEnvironment } from '../../platform/config/environment.js';
import { ownSecrets } from './auth-keys.js';
import { displayName, isAppUserId } from './claims.js';
import { signToken } from './token-signer.js';

const USAGE = `Usage: npm run -s token -- --sub USER [--name "NAME"] [--role admin] [--ttl 1h]
  --sub   the user's id
  --name  the user's display name
  --role  a role; can be repeated
  --ttl   lifetime of the token: a number and s, m, h or d (default: 1h)`;

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const MAX_TTL_MS = 3650 * 86_400_000;

/** Invalid arguments; the message is for the terminal. */
class UsageError extends Error {}

interface TokenRequest {
  readonly sub: string;
  readonly name: string | undefined;
  readonly roles: readonly string[];
  readonly ttlMs: number;
}

/** Output of the command: the token alone to `out`, everything else to `err`. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

const PROCESS: Terminal = {
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
};

/**
 * Runs `npm run token`: prints a token that this service accepts.
 * @returns the exit code: 0; 1 if the configuration allows no token; 2 for invalid arguments.
 */
export async function runTokenCommand(
  args: readonly string[],
  terminal: Terminal = PROCESS,
  load: () => Config = loadEnvironment,
): Promise<number> {
  try {
    const request = readRequest(args);
    if (!request) {
      terminal.err(USAGE);
      return 0;
    }
    terminal.out(await makeToken(request, load()));
    terminal.err(`Token for ${JSON.stringify(request.sub)}, valid for ${request.ttlMs / 1000} s.`);
    return 0;
  } catch (error) {
    terminal.err((error as Error).message);
    if (error instanceof UsageError) terminal.err(USAGE);
    return error instanceof UsageError ? 2 : 1;
  }
}

async function makeToken(request: TokenRequest, config: Config): Promise<string> {
  const external = (['AUTH_JWKS_URL', 'AUTH_JWT_PUBLIC_KEY'] as const).find((name) => config[name]);
  if (external) {
    throw new Error(
      `${external} is set: your tokens are signed elsewhere, with a private key that this service does not have. Get a token there.`,
    );
  }
  const issuedAt = Date.now();
  const { AUTH_ISSUER: iss, AUTH_AUDIENCE: aud } = config;
  const roles = request.roles.length > 0 ? request.roles : undefined;
  const content = {
    sub: request.sub,
    issuedAt,
    expiresAt: issuedAt + request.ttlMs,
    jti: randomText(16),
    type: 'JWT',
    claims: { name: request.name, roles, iss, aud },
  };
  return signToken(content, (await ownSecrets(config))[0]);
}

/** Parses the arguments; undefined when help is requested. */
function readRequest(args: readonly string[]): TokenRequest | undefined {
  const { sub, name, role, ttl, help } = parse(args);
  if (help) return undefined;
  if (!sub) throw new UsageError('--sub is missing.');
  if (!isAppUserId(sub)) {
    throw new UsageError('--sub must be a user id of 1 to 256 characters, not reserved and not a guest.');
  }
  return { sub, name: displayName(name), roles: role ?? [], ttlMs: readTtl(ttl) };
}

function parse(args: readonly string[]) {
  const options = {
    sub: { type: 'string' },
    name: { type: 'string', default: '' },
    role: { type: 'string', multiple: true },
    ttl: { type: 'string', default: '1h' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function readTtl(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const ttlMs = Number(number) * (UNIT_MS[unit] ?? 0);
  if (!(ttlMs > 0 && ttlMs <= MAX_TTL_MS)) {
    throw new UsageError('--ttl must be a number and s, m, h or d, such as 30m; at most 3650d.');
  }
  return ttlMs;
}
