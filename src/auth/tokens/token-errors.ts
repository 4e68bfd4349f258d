import { errors } from 'jose';
import { DomainError } from '../../common/domain-error.js';

/** Makes the error that asks for another token. `message` must contain nothing of the refused token. */
export function unauthenticated(message: string): DomainError {
  return new DomainError('unauthenticated', message);
}

/** Makes the error of a token that is past its `exp`. */
export function tokenExpired(): DomainError {
  return new DomainError('token_expired', 'The token has expired.');
}

/**
 * Converts an error of `jose`. Its errors carry the token's claims, so they never become a cause, which would be logged.
 * What is not the token's fault (the server of AUTH_JWKS_URL does not respond, or responds with an unusable key set) is
 * `internal` and retryable.
 */
export function toTokenError(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  if (error instanceof errors.JWTExpired) return tokenExpired();
  if (error instanceof errors.JWTClaimValidationFailed) {
    return unauthenticated(`The token's ${error.claim} is missing or not accepted.`);
  }
  if (isTokenFault(error)) return unauthenticated('The token is not valid.');
  return new DomainError('internal', 'The keys that verify tokens are not available. Try again.', {
    cause: error,
  });
}

function isTokenFault(error: unknown): boolean {
  return (
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported ||
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys
  );
}
