import { VARIABLES } from './variables.js';

/** A variable that nothing reads, and the one that was probably meant. */
export interface MisspeltVariable {
  readonly name: string;
  readonly nearest: string;
}

/** Beginnings of names that no other program uses. */
const OUR_PREFIXES = [
  'LLM_',
  'STREAM_',
  'QUEUE_',
  'RATE_LIMIT_',
  'PRESENCE_',
  'GUIDE_',
  'PROVIDER_',
  'SHUTDOWN_',
];
/** What shells, systems and tools set, although it is near to one of our names. */
const OTHERS = new Set([
  'HOME',
  'HOSTNAME',
  'HOSTTYPE',
  'PORTS',
  'POST',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'TLS_CERT_DIR',
  'FTP_PROXY',
  'ALL_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'ftp_proxy',
  'all_proxy',
]);
const MAX_DISTANCE = 2;
/** In a name shorter than this, two other letters make another word. */
const LONG_NAME = 8;

/** Finds names in `env` that look like a variable of ours but are not: a misspelt one would silently have no effect. */
export function findMisspelt(env: Readonly<Record<string, string | undefined>>): MisspeltVariable[] {
  return Object.keys(env)
    .filter((name) => !(name in VARIABLES) && !OTHERS.has(name) && /^[A-Za-z][A-Za-z0-9_]*$/.test(name))
    .flatMap((name) => nearestOf(name) ?? []);
}

function nearestOf(name: string): MisspeltVariable | undefined {
  const upper = name.toUpperCase();
  let nearest = '';
  let least = Infinity;
  for (const known of Object.keys(VARIABLES)) {
    const distance = distanceOf(upper, known);
    if (distance < least) [nearest, least] = [known, distance];
  }
  const limit = upper.length < LONG_NAME ? 1 : MAX_DISTANCE;
  const isOurs = name === upper && OUR_PREFIXES.some((prefix) => upper.startsWith(prefix));
  return least <= limit || isOurs ? { name, nearest } : undefined;
}

/** Letters to insert, delete, replace or swap with their neighbour (optimal string alignment). */
function distanceOf(one: string, other: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const isSame = one[i - 1] === other[j - 1];
      const isSwap = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      row[j] = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + (isSame ? 0 : 1),
        isSwap ? (beforeLast[j - 2] ?? 0) + 1 : Infinity,
      );
    }
    [beforeLast, last] = [last, row];
  }
  return last[other.length] ?? 0;
}
