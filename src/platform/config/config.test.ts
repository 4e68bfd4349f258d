import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from './config.js';
import { VARIABLES } from './variables.js';
import { DAY } from './fields.js';

const SECRET = 'x'.repeat(32);

/** The faults of an environment; none where it can be read. */
function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

describe('defaults', () => {
  it('reads an empty environment', () => {
    expect(readConfig({})).toMatchObject({
      PORT: 3000,
      HOST: '127.0.0.1',
      DATABASE_URL: undefined,
      AUTH_REQUIRED: true,
      GUEST_ACCESS: true,
      PROVIDER: 'guide',
      NODE_ENV: 'development',
      CORS_ORIGINS: [],
    });
  });

  it('parses each default, which is therefore a value that may be set', () => {
    const defaults = Object.entries(VARIABLES).map(([name, { defaultText }]) => [name, defaultText ?? '']);
    expect(faultsOf(Object.fromEntries(defaults) as Record<string, string>)).toEqual([]);
  });

  it('takes an empty variable for an unset one', () => {
    const empty = Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, '']));
    expect(readConfig(empty)).toEqual(readConfig({}));
  });

  it('refuses half a TLS pair, credentials in LLM_BASE_URL, and origins that are none', () => {
    expect(faultsOf({ TLS_CERT_FILE: 'cert.pem' })).toEqual([
      'TLS_CERT_FILE and TLS_KEY_FILE belong together: set both or none.',
    ]);
    const faults = faultsOf({ LLM_BASE_URL: 'https://me:secret@example.org/v1', LLM_MODEL: 'm' });
    expect(faults).toEqual(['LLM_BASE_URL must not contain a user or password: use LLM_API_KEY.']);
    for (const origin of [
      'https://a.example/path',
      'https://a.example/',
      'a.example',
      'capacitor://',
      'null',
    ])
      expect(faultsOf({ CORS_ORIGINS: origin }).join()).toContain('CORS_ORIGINS must be');
    expect(
      faultsOf({ CORS_ORIGINS: 'capacitor://localhost,tauri://localhost,http://localhost:5173' }),
    ).toEqual([]);
  });

  it('keeps no variable that it does not know', () => {
    expect(readConfig({ HOME: '/somewhere' })).not.toHaveProperty('HOME');
  });

  it('cannot be changed afterwards', () => {
    const config = readConfig({});
    expect(Object.isFrozen(config)).toBe(true);
    expect(() => Object.assign(config, { PORT: 1 })).toThrow(TypeError);
  });
});

describe('values', () => {
  it.each([
    ['PORT', '0', 0],
    ['AUTH_REQUIRED', 'false', false],
    ['GUEST_ACCESS', 'false', false],
    ['LLM_MODELS', ' a, b ,,c ', ['a', 'b', 'c']],
    ['LOG_LEVEL', 'debug', 'debug'],
    ['DATABASE_URL', 'postgres://u:p@db:5432/x', 'postgres://u:p@db:5432/x'],
    ['RATE_LIMIT_EVENTS', '5/60', { points: 5, seconds: 60 }],
    [
      'RATE_LIMIT_HTTP',
      '1/2, 3/4',
      { perUser: { points: 1, seconds: 2 }, perAddress: { points: 3, seconds: 4 } },
    ],
    ['QUEUE_TTL_MS', String(90 * DAY), 90 * DAY],
    ['STREAM_RETENTION_MS', String(3650 * DAY), 3650 * DAY],
    ['TRUST_PROXY', '2', 2],
    ['TRUST_PROXY', 'loopback, 10.0.0.0/8,::1', ['loopback', '10.0.0.0/8', '::1']],
  ] as const)('reads %s=%s', (name, text, value) => {
    expect(readConfig({ [name]: text })[name]).toEqual(value);
  });

  it.each([
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '3000.5'],
    ['PORT', '0x10'],
    ['PORT', ' 3000'],
    ['PORT', '3e3'],
    ['DATABASE_POOL_SIZE', '1'],
    ['QUEUE_TTL_MS', String(3650 * DAY + 1)],
    ['STREAM_MAX_PAUSE_MS', '2147483648'],
    ['HEARTBEAT_INTERVAL_MS', String(DAY + 1)],
    ['HEARTBEAT_TIMEOUT_MS', String(DAY + 1)],
    ['AUTH_REQUIRED', 'yes'],
    ['GUEST_ACCESS', '1'],
    ['DATABASE_URL', 'mysql://db/x'],
    ['DATABASE_URL', 'not a url'],
    ['AUTH_JWKS_URL', 'file:///etc/passwd'],
    ['AUTH_JWT_SECRET', 'x'.repeat(31)],
    ['LOG_LEVEL', 'loud'],
    ['NODE_ENV', 'staging'],
    ['PROVIDER', 'magic'],
    ['REDIS_URL', 'redis://127.0.0.1:6379'],
    ['RATE_LIMIT_EVENTS', '400'],
    ['RATE_LIMIT_EVENTS', '0/10'],
    ['RATE_LIMIT_EVENTS', '400/0'],
    ['RATE_LIMIT_EVENTS', '1.5/10'],
    ['RATE_LIMIT_EVENTS', '1/2,3/4'],
    ['RATE_LIMIT_HTTP', '300/10'],
    ['RATE_LIMIT_HTTP', '1/2,3/4,5/6'],
    ['TRUST_PROXY', 'true'],
    ['TRUST_PROXY', 'toString'],
    ['TRUST_PROXY', '10.0.0.0/33'],
    ['TRUST_PROXY', '-1'],
  ])('refuses %s=%s with a sentence that begins with its name', (name, text) => {
    expect(faultsOf({ [name]: text })).toEqual([expect.stringMatching(new RegExp(`^${name} .+\\.$`))]);
  });

  it.each([
    ['PORT', '3000\n', /from 0 to 65535; it begins or ends with a space or a line end/],
    ['PORT', '"3000"', /; it has quotation marks around it, which docker --env-file keeps/],
    ['DATABASE_URL', "'postgres://u:p@db/x'", /begins with postgres:\/\/.*; it has quotation marks/],
    ['DATABASE_URL', ' postgres://u:p@db/x', /; it begins or ends with a space/],
    ['DATABASE_URL', 'postgres://u:p@db/x\n', /not a valid URL.*; it begins or ends with a space/],
    ['DATABASE_URL', 'postgres://u:p#w@db/x', /not a valid URL.*encode special characters.*# is %23/],
    ['DATABASE_URL', 'postgres://u:p/w@db/x', /not a valid URL.*\/ is %2F/],
    ['DATABASE_URL', 'postgres://u:p?w@db/x', /not a valid URL.*\? is %3F/],
    ['DATABASE_URL', 'postgres://u:100%@db/x', /not a valid URL.*% is %25/],
    ['DATABASE_URL', 'postgres://u:p@db:99999/x', /not a valid URL: check its port/],
    ['LLM_API_KEY', 'sk-1\n', /must be one line.*; it begins or ends with a space or a line end/],
    ['LLM_API_KEY', 'sk-…', /must be one line of characters that an HTTP header may have/],
  ])('says what is wrong around or within %s=%j', (name, text, sentence) => {
    expect(faultsOf({ [name]: text })).toEqual([expect.stringMatching(sentence)]);
  });

  it.each(['%23', '%25', '%2F', '%3F', '%40', '%20', '+', '&', '$', '!', 'é'])(
    'takes a password with %s',
    (part) => {
      const url = `postgres://u:p${part}w@db/x`;
      expect(readConfig({ DATABASE_URL: url }).DATABASE_URL).toBe(url);
    },
  );

  it('never repeats a refused value: it may be a secret', () => {
    expect(faultsOf({ AUTH_JWT_SECRET: 'hunter2' }).join()).not.toContain('hunter2');
    expect(faultsOf({ DATABASE_URL: 'mysql://u:hunter2@db' }).join()).not.toContain('hunter2');
  });
});

describe('all faults at once', () => {
  it('names those of single variables and those across variables together', () => {
    const faults = faultsOf({
      PORT: 'x',
      LOG_LEVEL: 'loud',
      AUTH_JWT_SECRET: SECRET,
      AUTH_JWKS_URL: 'https://keys.example/jwks',
      LLM_BASE_URL: 'http://127.0.0.1:11434/v1',
    });
    expect(faults).toHaveLength(4);
    const text = new ConfigError(faults).message;
    for (const name of ['PORT', 'LOG_LEVEL', 'AUTH_JWKS_URL', 'LLM_MODEL']) expect(text).toContain(name);
  });
});

describe('what depends on other variables', () => {
  it('wants exactly one kind of key, and in production at least one', () => {
    expect(faultsOf({ NODE_ENV: 'production' })).toEqual([expect.stringContaining('in production')]);
    expect(faultsOf({ NODE_ENV: 'production', AUTH_JWT_SECRET: ',' })).toEqual([
      expect.stringContaining('in production'),
    ]);
    expect(faultsOf({ NODE_ENV: 'production', AUTH_JWT_SECRET: SECRET })).toEqual([]);
    expect(faultsOf({ AUTH_JWT_SECRET: SECRET, AUTH_JWT_PUBLIC_KEY: 'pem' })).toEqual([
      expect.stringContaining('exclude each other'),
    ]);
  });

  it('does not say of a variable that is set wrongly that it must be set', () => {
    expect(faultsOf({ NODE_ENV: 'production', AUTH_JWT_SECRET: 'short' })).toEqual([
      expect.stringMatching(/^AUTH_JWT_SECRET must have at least 32 characters/),
    ]);
    expect(faultsOf({ PROVIDER: 'openai-compatible', LLM_BASE_URL: 'nowhere' })).toEqual([
      expect.stringMatching(/^LLM_BASE_URL must be a URL/),
    ]);
  });

  it('admits guests only outside production, unless configured otherwise', () => {
    const production = { NODE_ENV: 'production', AUTH_JWT_SECRET: SECRET };
    expect(readConfig(production).GUEST_ACCESS).toBe(false);
    expect(readConfig({ ...production, GUEST_ACCESS: 'true' }).GUEST_ACCESS).toBe(true);
    expect(readConfig({ GUEST_ACCESS: 'false' }).GUEST_ACCESS).toBe(false);
  });

  it('chooses the provider by LLM_BASE_URL, unless configured otherwise', () => {
    const llm = { LLM_BASE_URL: 'http://127.0.0.1:11434/v1', LLM_MODEL: 'llama' };
    expect(readConfig(llm).PROVIDER).toBe('openai-compatible');
    expect(readConfig({ ...llm, PROVIDER: 'guide' }).PROVIDER).toBe('guide');
    expect(faultsOf({ PROVIDER: 'openai-compatible' })).toEqual([expect.stringContaining('LLM_BASE_URL')]);
    expect(faultsOf({ LLM_BASE_URL: llm.LLM_BASE_URL })).toEqual([expect.stringContaining('LLM_MODEL')]);
  });
});
