/** What is set on a session. A session of the driver and one of TypeORM both fit. */
export interface Session {
  query(text: string, values: unknown[]): Promise<unknown>;
}

/** Settings of a session by their names in PostgreSQL. */
export type SessionSettings = Readonly<Record<string, string | number>>;

/**
 * What the code relies on in every session. An operator may have set each of these otherwise, for the server, the database
 * or the role: dates in another form are not read by the driver, and stricter isolation makes group commits fail.
 * `default_transaction_read_only` and `synchronous_commit` stay as the operator wants them.
 */
const RELIED_ON: SessionSettings = {
  client_encoding: 'UTF8',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  array_nulls: 'on',
  standard_conforming_strings: 'on',
  transform_null_equals: 'off',
  quote_all_identifiers: 'off',
  exit_on_error: 'off',
  default_transaction_isolation: 'read committed',
  // Sessions of this process live as long as it does.
  idle_session_timeout: '0',
  transaction_timeout: '0',
};

/** A setting that this version of PostgreSQL does not have is left out. */
const SET = `select set_config(name, value, false) from unnest($1::text[], $2::text[]) s(name, value)
  where current_setting(name, true) is not null`;

/**
 * Prepares a session that has just connected: what the code relies on, then `settings`. They are set by a statement, since
 * poolers such as PgBouncer refuse them among the parameters of a connection.
 */
export async function prepareSession(session: Session, settings: SessionSettings = {}): Promise<void> {
  await setSettings(session, { ...RELIED_ON, ...settings });
}

/** Sets `settings` on a session, until they are set again. */
export async function setSettings(session: Session, settings: SessionSettings): Promise<void> {
  await session.query(SET, [Object.keys(settings), Object.values(settings).map(String)]);
}
