import type { Field } from './fields.js';
import { VARIABLES } from './variables.js';

type Parsed<F> = F extends { parse: (text: string) => infer T } ? (F extends Field<infer U> ? U : T) : never;
type Read = { [K in keyof typeof VARIABLES]: Parsed<(typeof VARIABLES)[K]> };

/** The whole configuration: frozen, typed, with the variables' names as keys, and with derived values filled in. */
export type Config = Readonly<
  Omit<Read, 'GUEST_ACCESS' | 'PROVIDER'> & { GUEST_ACCESS: boolean; PROVIDER: ProviderChoice }
>;

type ProviderChoice = NonNullable<Read['PROVIDER']>;

/** Injection token of the {@link Config}. */
export const CONFIG = Symbol('Config');

/** All faults of the environment. Each is one sentence that begins with the variable's name. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(
    readonly faults: readonly string[],
    /** The values of variables without a fault of their own. */
    readonly validValues: Partial<Read> = {},
  ) {
    super(
      `The configuration has ${faults.length} fault(s):\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    );
  }
}

/**
 * Reads `env` into a {@link Config}. An empty variable counts as unset.
 * @throws {ConfigError} with every fault.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const faults: string[] = [];
  const read: Record<string, unknown> = {};
  for (const [name, field] of Object.entries<Field<unknown>>(VARIABLES)) {
    const value = env[name] || field.defaultText;
    try {
      read[name] = value === undefined ? undefined : field.parse(value);
    } catch (error) {
      faults.push(`${name} ${(error as Error).message}${describeSurroundings(value)}.`);
    }
  }
  faults.push(...faultsOfCombinations(read));
  if (faults.length > 0) throw new ConfigError(faults, read);
  const values = read as Read;
  return Object.freeze({
    ...values,
    GUEST_ACCESS: values.GUEST_ACCESS ?? values.NODE_ENV !== 'production',
    PROVIDER: values.PROVIDER ?? (values.LLM_BASE_URL ? 'openai-compatible' : 'guide'),
  });
}

/** Returns a clause about the spaces or quotation marks around a refused value; empty if there are none. */
function describeSurroundings(value = ''): string {
  if (value !== value.trim()) return '; it begins or ends with a space or a line end';
  return /^(["']).*\1$/.test(value)
    ? '; it has quotation marks around it, which docker --env-file keeps'
    : '';
}

/**
 * Returns the faults of combinations of variables. A variable with a fault of its own is not among `values`, and counts
 * as set.
 */
function faultsOfCombinations(values: Partial<Read>): string[] {
  const faults: string[] = [];
  const isSet = (name: keyof Read): boolean => !(name in values) || [values[name] ?? []].flat().length > 0;
  const keys = (['AUTH_JWT_SECRET', 'AUTH_JWKS_URL', 'AUTH_JWT_PUBLIC_KEY'] as const).filter(isSet);
  if (keys.length > 1) {
    faults.push('AUTH_JWT_SECRET, AUTH_JWKS_URL and AUTH_JWT_PUBLIC_KEY exclude each other: set one.');
  }
  if (keys.length === 0 && values.NODE_ENV === 'production') {
    faults.push('AUTH_JWT_SECRET, AUTH_JWKS_URL or AUTH_JWT_PUBLIC_KEY must be set in production.');
  }
  if ((values.TLS_CERT_FILE === undefined) !== (values.TLS_KEY_FILE === undefined)) {
    faults.push('TLS_CERT_FILE and TLS_KEY_FILE belong together: set both or none.');
  }
  if (values.PROVIDER === 'openai-compatible' && !isSet('LLM_BASE_URL')) {
    faults.push('LLM_BASE_URL must be set for PROVIDER=openai-compatible.');
  }
  if (values.METRICS_PORT && values.METRICS_PORT === values.PORT) {
    faults.push('METRICS_PORT must be another port than PORT: leave it unset for /metrics on PORT.');
  }
  if (values.PROVIDER_FALLBACK === 'openai-compatible' && !isSet('LLM_BASE_URL')) {
    faults.push('LLM_BASE_URL must be set for PROVIDER_FALLBACK=openai-compatible.');
  }
  if (values.LLM_BASE_URL && !values.LLM_MODEL) faults.push('LLM_MODEL must be set with LLM_BASE_URL.');
  return faults;
}
