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
/**
 * A prepared statement must be prepared anew: a migration changed what it returns (0A000) or the type of a variable in a
 * database function (42804), the server forgot it (26000), or another client of a pooler has one of this name (42P05).
 */
const STALE_PLANS = new Set(['0A000', '26000', '42P05', '42804']);
/**
 * What an operator or the machine does to a database for a while: sessions that may only read or are aborted (25), no
 * login (28), a renamed database (3D), one that takes no connections (55000), missing rights or a file system that may only
 * be read (42501), errors of the disk (58).
 */
const REFUSED = /^(25...|28...|3D...|55000|42501|58...)$/;

/** Whether PostgreSQL refused the data itself (SQLSTATE class 22 or 23), so that a retry fails again. */
export function isDataFault(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state !== undefined && (state.startsWith('22') || state.startsWith('23'));
}

/** Whether another session held a lock for longer than `lock_timeout`. */
export function isLockFault(error: unknown): boolean {
  return sqlStateOf(error) === '55P03';
}

/**
 * Whether the session cannot do its work any more and another one may: an error that did not come from PostgreSQL, or one of
 * class 08 or 57P (shut down, starting up, terminated) or 25 (idle in a transaction for too long, an aborted transaction, a
 * session that may only read, such as after a failover).
 */
export function isSessionFault(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state === undefined || /^(08|57P|25)/.test(state) || STALE_PLANS.has(state);
}

/** Whether PostgreSQL refused the statement because of its session, before it did anything: another session may take it. */
export function isRefusedBySession(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state !== undefined && (STALE_PLANS.has(state) || state === '25006' || state === '25P02');
}

/**
 * Translates `error` into what services throw. A timeout, a database that is away or refuses for now, and a deadlock become
 * `timeout` (retryable; the statement may have been committed), anything else `internal`.
 */
export function toDatabaseError(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  const state = sqlStateOf(error);
  if (state !== undefined && TIMEOUTS.has(state)) {
    return new DomainError('timeout', 'The database did not respond in time. Send the request again.', {
      cause: error,
    });
  }
  if (state !== undefined && CONFLICTS.has(state)) {
    return new DomainError('timeout', 'The database was too busy. Send it again.', { cause: error });
  }
  if (isAway(error)) {
    return new DomainError('timeout', 'The database cannot be reached now. Send it again.', {
      cause: error,
    });
  }
  if (state !== undefined && (REFUSED.test(state) || STALE_PLANS.has(state))) {
    return new DomainError('timeout', 'The database cannot store anything now. Send it again.', {
      cause: error,
    });
  }
  return toDomainError(error);
}

/**
 * Whether the database is away, and may come back: a timeout, a conflict, a lost connection, class 53 (out of connections,
 * memory or disk). Without an SQLSTATE only what sockets and the driver say of a connection counts.
 */
export function isAway(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state !== undefined) return TIMEOUTS.has(state) || CONFLICTS.has(state) || /^(53|08|57P)/.test(state);
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  if (code !== undefined) return /^(E[A-Z]+|EAI_[A-Z]+)$/.test(code);
  return DRIVER_LOSSES.test(error.message);
}

/** The driver gives these no code. */
const DRIVER_LOSSES =
  /^(Connection terminated|timeout expired|timeout exceeded when trying to connect|Client (has|was))/;

/** What an operator should know by name. */
const MEANINGS: Readonly<Record<string, string>> = {
  '25006': 'read-only',
  '53100': 'disk full',
  '53200': 'out of memory',
  '53300': 'too many connections',
  '57P01': 'shut down by an administrator',
  '57P03': 'starting or shutting down',
};
const MAX_CAUSE_CHARS = 200;

/** Says why the database failed, without its words, such as `disk full, SQLSTATE 53100` or `ECONNREFUSED`; undefined if unknown. */
export function reasonOf(error: unknown): string | undefined {
  const cause = underlying(error);
  const state = sqlStateOf(cause);
  if (state === undefined) return codeOf(cause);
  const meaning = MEANINGS[state];
  return `${meaning === undefined ? '' : `${meaning}, `}SQLSTATE ${state}`;
}

/** Says why the database failed, in its words, for the log; undefined where it said nothing. */
export function causeOf(error: unknown): string | undefined {
  const cause = underlying(error);
  if (!(cause instanceof Error) || cause instanceof DomainError) return undefined;
  return [reasonOf(cause), cause.message].filter(Boolean).join(': ').slice(0, MAX_CAUSE_CHARS);
}

function underlying(error: unknown): unknown {
  return error instanceof DomainError && error.cause !== undefined ? error.cause : error;
}

/** Returns the SQLSTATE of a PostgreSQL error, also where TypeORM has wrapped it; undefined for any other error. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = codeOf(error);
  return code !== undefined && SQLSTATE.test(code) && !code.startsWith('E') ? code : undefined;
}

function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as Partial<Coded>;
  return typeof code === 'string' ? code : undefined;
}
