import { isIP } from 'node:net';
import type { Field } from './fields.js';

/** At most so many points in so many seconds. */
export interface Rate {
  readonly points: number;
  readonly seconds: number;
}

/** Two limits of the same thing. */
export interface Rates {
  readonly perUser: Rate;
  readonly perAddress: Rate;
}

/** Trusted proxies: a number of hops, or addresses, networks (CIDR) and names of {@link PROXY_NAMES}. */
export type TrustedProxies = number | readonly string[];

/** Names of networks, as in Express' `trust proxy` (`proxy-addr`). */
const PROXY_NAMES = ['loopback', 'linklocal', 'uniquelocal'];

const MAX_POINTS = 1_000_000;
const MAX_SECONDS = 86_400;

/** Returns a field for `points/seconds`, such as `400/10`. */
export function rate(defaultText: string, doc: string) {
  const parse = (text: string): Rate => parseRate(text, 'must be points/seconds, such as 400/10');
  return { defaultText, doc, parse } satisfies Field<Rate>;
}

/** Returns a field for `points/seconds,points/seconds`: per user, and per address. */
export function rates(defaultText: string, doc: string) {
  const how = 'must be points/seconds twice, per user and per address, such as 30/10,1000/10';
  const parse = (text: string): Rates => {
    const [user = '', address = '', ...more] = text.split(',').map((part) => part.trim());
    if (more.length > 0) throw new Error(how);
    return { perUser: parseRate(user, how), perAddress: parseRate(address, how) };
  };
  return { defaultText, doc, parse } satisfies Field<Rates>;
}

/** Returns a field for trusted proxies; unset: none. */
export function trustedProxies(doc: string): Field<TrustedProxies | undefined> {
  const parse = (text: string): TrustedProxies => {
    if (/^\d{1,2}$/.test(text)) return Number(text);
    const words = text.split(',').map((word) => word.trim());
    if (words.every((word) => PROXY_NAMES.includes(word) || isNetwork(word))) return words;
    throw new Error(
      `must be a number of hops (0 to 99), or addresses, networks (10.0.0.0/8) and names (${PROXY_NAMES.join(', ')}), separated by commas`,
    );
  };
  return { defaultText: undefined, doc, parse };
}

function parseRate(text: string, how: string): Rate {
  const [, points = '', seconds = ''] = /^(\d{1,7})\/(\d{1,5})$/.exec(text) ?? [];
  const rate = { points: Number(points), seconds: Number(seconds) };
  const fits =
    rate.points >= 1 && rate.points <= MAX_POINTS && rate.seconds >= 1 && rate.seconds <= MAX_SECONDS;
  if (!fits) throw new Error(`${how}; 1 to ${MAX_POINTS} points, 1 to ${MAX_SECONDS} seconds`);
  return rate;
}

function isNetwork(word: string): boolean {
  const [address = '', prefix, ...more] = word.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}
