import { DomainError, toDomainError } from '../../common/domain-error.js';

/** An error of the driver: its code is an SQLSTATE (five characters) or a system's, such as ECONNREFUSED. */
interface Coded {
  code: string;
}

const SQLSTATE = /^[0-9A-Z]{5}$/;
/** Query cancelled by statement_timeout, lock not available in lock_timeout, idle in a transaction, idle session. */
const TIMEOUTS = new Set(['57014', '55P03', '25P03', '57P05']);
/** Serialization failure and deadlock: a retry may succeed. */
const CONFLICTS = new Set(['40001', '40P01']);

/** Whether PostgreSQL refused the data itself (SQLSTATE class 22 or 23), so that a retry fails again. */
export function isDataFault(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state !== undefined && (state.startsWith('22') || state.startsWith('23'));
}

/**
 * Whether the connection is lost or was never made, so that it cannot be used any more: an error that did not come from
 * PostgreSQL, or one of class 08 or 57P (shut down, starting up, terminated), or idle in a transaction for too long.
 */
export function isConnectionFault(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state === undefined || state.startsWith('08') || state.startsWith('57P') || state === '25P03';
}

/** Whether a prepared statement must be prepared anew: a migration changed what it returns (0A000), or the server forgot it (26000). */
export function isStalePlan(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state === '0A000' || state === '26000';
}

/**
 * Translates `error` into what services throw. A timeout, a lost or refused connection, a server without free connections,
 * memory or disk, and a deadlock become `timeout` (retryable; the statement may have been committed), anything else
 * `internal`.
 */
export function toDatabaseError(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  const state = sqlStateOf(error);
  if (state !== undefined && TIMEOUTS.has(state)) {
    return new DomainError('timeout', 'The database did not answer in time. Send it again.', {
      cause: error,
    });
  }
  if (state !== undefined && CONFLICTS.has(state)) {
    return new DomainError('timeout', 'The database was too busy. Send it again.', { cause: error });
  }
  if (isUnreachable(error, state)) {
    return new DomainError('timeout', 'The database cannot be reached now. Send it again.', {
      cause: error,
    });
  }
  return toDomainError(error);
}

/** Class 53: out of connections, memory or disk. Without an SQLSTATE only what sockets and the driver say of a connection. */
function isUnreachable(error: unknown, state: string | undefined): boolean {
  if (state !== undefined) return state.startsWith('53') || isConnectionFault(error);
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  if (code !== undefined) return /^(E[A-Z]+|EAI_[A-Z]+)$/.test(code);
  return DRIVER_LOSSES.test(error.message);
}

/** The driver gives these no code. */
const DRIVER_LOSSES =
  /^(Connection terminated|timeout expired|timeout exceeded when trying to connect|Client (has|was))/;

/** Returns the SQLSTATE of a PostgreSQL error, also where TypeORM has wrapped it; undefined for any other error. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = codeOf(error);
  return code !== undefined && SQLSTATE.test(code) && !code.startsWith('E') ? code : undefined;
}

function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as Partial<Coded>;
  return typeof code === 'string' ? code : undefined;
}
