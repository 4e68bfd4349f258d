import type { Config } from '../../platform/config/config.js';
import { fail, ok, warn, type Finding } from './finding.js';

/** Minimum entropy of a secret in bits, estimated from its characters. */
const MIN_BITS = 100;
const GUESSABLE_WORDS = /change.?me|secret|password|example|default|12345|qwerty|your[-_ ]/i;

/** Checks whether the secrets of `config` can be guessed. */
export function checkSecrets({ AUTH_JWT_SECRET, METRICS_TOKEN }: Config): Finding[] {
  const secrets = [
    ...AUTH_JWT_SECRET.map((secret, index) => [nth('AUTH_JWT_SECRET', index), secret] as const),
    ...(METRICS_TOKEN ? ([['METRICS_TOKEN', METRICS_TOKEN]] as const) : []),
  ];
  return secrets.map(([name, secret]) => {
    const remedy = 'Generate a new one: openssl rand -hex 32.';
    if (GUESSABLE_WORDS.test(secret))
      return fail('secrets', `${name} contains words that attackers try first.`, remedy);
    const bits = Math.floor(entropyBits(secret));
    return bits < MIN_BITS
      ? fail(
          'secrets',
          `${name} can be guessed: its characters have about ${bits} bits of entropy, and it needs ${MIN_BITS}.`,
          remedy,
        )
      : ok('secrets', `${name} looks random.`);
  });
}

function nth(name: string, index: number): string {
  return index === 0 ? name : `${name} (number ${index + 1})`;
}

/** Returns the Shannon entropy of the characters of `text`. Repetition lowers it; words and sequences do not. */
function entropyBits(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= count * Math.log2(count / text.length);
  return bits;
}

/** Checks for settings that are fine in development but not in production. */
export function checkProduction(config: Config): Finding[] {
  const { NODE_ENV, HOST, TLS_CERT_FILE, GUEST_ACCESS, AUTH_REQUIRED } = config;
  const isExposed = !['127.0.0.1', 'localhost', '::1'].includes(HOST);
  const findings: Finding[] = [];
  const add = (message: string, remedy: string): number => findings.push(warn('production', message, remedy));
  if (NODE_ENV !== 'production') {
    if (isExposed) add(`HOST=${HOST} exposes a development server to others.`, 'Set NODE_ENV=production.');
    return findings.length > 0
      ? findings
      : [ok('production', `NODE_ENV=${NODE_ENV}, reachable from this machine only.`)];
  }
  if (isExposed && TLS_CERT_FILE === undefined) {
    add(
      `HOST=${HOST} accepts connections from anywhere, without TLS.`,
      'Let only a proxy with TLS reach the port, as the files in deploy/ do.',
    );
  }
  if (GUEST_ACCESS)
    add(
      'GUEST_ACCESS=true: anyone may send messages and request answers.',
      'Set it to false unless you want that.',
    );
  if (!AUTH_REQUIRED)
    add('AUTH_REQUIRED=false: clients need no token.', 'Set it to true unless you want that.');
  return findings.length > 0 ? findings : [ok('production', 'Every client needs a token.')];
}
