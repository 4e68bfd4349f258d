import { DAY, flag, integer, list, optionalFlag, optionalText, optionalUrl, TEN_YEARS } from '../fields.js';

/** Tokens and guests. */
export const TOKENS = {
  AUTH_REQUIRED: flag(
    true,
    '`false`: a client that connects without a token becomes a new guest for that connection. A bad token is always refused.',
  ),
  AUTH_JWT_SECRET: list(
    'Shared secret of your tokens (HS256), at least 32 characters. Several are separated by commas: the first one signs, tokens of each are valid. Without any key, outside production, one is created and kept in `DATA_DIR`.',
    (secret) => {
      if (secret.length < 32) throw new Error('must have at least 32 characters (a comma separates secrets)');
    },
  ),
  AUTH_JWKS_URL: optionalUrl(['https:', 'http:'], 'Where your identity provider publishes its keys (JWKS).'),
  AUTH_JWT_PUBLIC_KEY: optionalText(
    'Public key of your tokens, PEM (`-----BEGIN PUBLIC KEY-----`), or several one after the other; line ends may be written as `\\n`.',
  ),
  AUTH_ISSUER: optionalText('Tokens must have this `iss`.'),
  AUTH_AUDIENCE: optionalText('Tokens must have this `aud`.'),
  TOKEN_CLOCK_TOLERANCE_MS: integer(
    60_000,
    'How far ahead `iat` and `nbf` of your tokens may be: the clock of the issuer may be ahead of the server’s. `exp` has 5 seconds.',
    { max: 3_600_000 },
  ),
  GUEST_ACCESS: optionalFlag(
    'Whether anybody may get a guest token. Unset means `true` outside production and `false` in it.',
  ),
  GUEST_TOKEN_TTL_MS: integer(30 * DAY, 'How long a guest token is valid: 30 days.', {
    min: 1000,
    max: TEN_YEARS,
  }),
  TICKET_TTL_MS: integer(600_000, 'How long a stream ticket is valid: 10 minutes.', { min: 1000, max: DAY }),
  TOKEN_EXPIRY_GRACE_MS: integer(25_000, 'How long a connection may stay after its token has expired.', {
    max: DAY,
  }),
};
