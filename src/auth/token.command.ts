import { parseArgs } from 'node:util';
import { randomText } from '../common/ids.js';
import type { Config } from '../platform/config/config.js';
import { loadEnvironment } from '../platform/config/environment.js';
import { ownSecrets } from './auth-keys.js';
import { displayName, isAppUserId } from './claims.js';
import { signToken } from './token-signer.js';

const USAGE = `Usage: npm run -s token -- --sub USER [--name "NAME"] [--role admin] [--ttl 1h]
  --sub   the user's id
  --name  how the user is called
  --role  a role; may be given more than once
  --ttl   how long the token is good: a number and s, m, h or d (1h)`;

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const MAX_TTL_MS = 3650 * 86_400_000;

/** What the command was called wrongly with; its message is for the terminal. */
class UsageError extends Error {}

interface TokenOrder {
  readonly sub: string;
  readonly name: string | undefined;
  readonly roles: readonly string[];
  readonly ttlMs: number;
}

/** Where the command writes: the token alone to `out`, everything else to `err`. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

const PROCESS: Terminal = {
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
};

/**
 * `npm run token`: prints a token that this service accepts, signed as the service would check it.
 * @returns the exit code: 0, 1 where the configuration allows no token, 2 for wrong arguments.
 */
export async function runTokenCommand(
  args: readonly string[],
  terminal: Terminal = PROCESS,
  load: () => Config = loadEnvironment,
): Promise<number> {
  try {
    const order = readOrder(args);
    if (!order) {
      terminal.err(USAGE);
      return 0;
    }
    terminal.out(await makeToken(order, load()));
    terminal.err(`A token for ${JSON.stringify(order.sub)}, good for ${order.ttlMs / 1000} s.`);
    return 0;
  } catch (error) {
    terminal.err((error as Error).message);
    if (error instanceof UsageError) terminal.err(USAGE);
    return error instanceof UsageError ? 2 : 1;
  }
}

async function makeToken(order: TokenOrder, config: Config): Promise<string> {
  const foreign = (['AUTH_JWKS_URL', 'AUTH_JWT_PUBLIC_KEY'] as const).find((name) => config[name]);
  if (foreign) {
    throw new Error(
      `${foreign} is set: your tokens are signed elsewhere, with a private key that is not here. Get one there.`,
    );
  }
  const issuedAt = Date.now();
  const { AUTH_ISSUER: iss, AUTH_AUDIENCE: aud } = config;
  const roles = order.roles.length > 0 ? order.roles : undefined;
  const content = {
    sub: order.sub,
    issuedAt,
    expiresAt: issuedAt + order.ttlMs,
    jti: randomText(16),
    type: 'JWT',
    claims: { name: order.name, roles, iss, aud },
  };
  return signToken(content, (await ownSecrets(config))[0]);
}

/** The arguments' meaning; undefined where help is asked for. */
function readOrder(args: readonly string[]): TokenOrder | undefined {
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
