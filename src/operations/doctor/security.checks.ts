import type { Config } from '../../platform/config/config.js';
import { fail, ok, warn, type Finding } from './finding.js';

/** Minimum entropy of a secret in bits, estimated from its characters. */
const MIN_BITS = 100;
const KNOWN = /change.?me|secret|password|example|default|12345|qwerty|your[-_ ]/i;

/** Checks whether the secrets of `config` can be guessed. */
export function checkSecrets({ AUTH_JWT_SECRET, METRICS_TOKEN }: Config): Finding[] {
  const secrets = [
    ...AUTH_JWT_SECRET.map((secret, index) => [nth('AUTH_JWT_SECRET', index), secret] as const),
    ...(METRICS_TOKEN ? ([['METRICS_TOKEN', METRICS_TOKEN]] as const) : []),
  ];
  return secrets.map(([name, secret]) => {
    const remedy = 'Make a new one: openssl rand -hex 32.';
    if (KNOWN.test(secret))
      return fail('secrets', `${name} has words in it that everybody tries first.`, remedy);
    const bits = Math.floor(entropyBits(secret));
    return bits < MIN_BITS
      ? fail(
          'secrets',
          `${name} can be guessed: its characters make about ${bits} bits, of ${MIN_BITS}.`,
          remedy,
        )
      : ok('secrets', `${name} looks random.`);
  });
}

function nth(name: string, index: number): string {
  return index === 0 ? name : `${name} (number ${index + 1})`;
}

/** Returns the Shannon entropy of the characters: an upper bound of the text's entropy. */
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
  const isOpen = !['127.0.0.1', 'localhost', '::1'].includes(HOST);
  const findings: Finding[] = [];
  const add = (message: string, remedy: string): number => findings.push(warn('production', message, remedy));
  if (NODE_ENV !== 'production') {
    if (isOpen) add(`HOST=${HOST} opens a development server to others.`, 'Set NODE_ENV=production.');
    return findings.length > 0
      ? findings
      : [ok('production', `NODE_ENV=${NODE_ENV}, for this machine alone.`)];
  }
  if (isOpen && TLS_CERT_FILE === undefined) {
    add(
      `HOST=${HOST} takes connections from anywhere, without TLS.`,
      'Let only a proxy with TLS reach the port, as the files in deploy/ do.',
    );
  }
  if (GUEST_ACCESS)
    add(
      'GUEST_ACCESS=true: anybody may write, and cost you answers.',
      'Set it to false, if you did not mean that.',
    );
  if (!AUTH_REQUIRED)
    add('AUTH_REQUIRED=false: nobody needs a token.', 'Set it to true, if you did not mean that.');
  return findings.length > 0 ? findings : [ok('production', 'Nobody comes in without a token.')];
}
