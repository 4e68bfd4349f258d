import { errors } from 'jose';
import { DomainError } from '../common/domain-error.js';

/** A refusal that asks for another token. `message` must hold nothing of the refused one. */
export function unauthenticated(message: string): DomainError {
  return new DomainError('unauthenticated', message);
}

/**
 * The refusal for what `jose` threw while it checked a token. Its errors carry the token's claims, so none of them
 * becomes a cause, which would be logged. What is not the token's fault (the server of AUTH_JWKS_URL does not answer, or
 * answers nonsense) is `internal`, to be tried again.
 */
export function refusalOf(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  if (error instanceof errors.JWTExpired) return new DomainError('token_expired', 'The token has expired.');
  if (error instanceof errors.JWTClaimValidationFailed) {
    return unauthenticated(`The token's ${error.claim} is missing or not accepted here.`);
  }
  if (isTokenFault(error)) return unauthenticated('The token is not valid here.');
  return new DomainError('internal', 'The keys that tokens are checked with cannot be had now. Try again.', {
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
