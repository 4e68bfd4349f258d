import { DomainError } from '../../common/domain-error.js';
import { propertiesOf } from './payload-rules.js';

/** The most faults that one error names. */
const MAX_FAULTS = 10;
const MAX_KEY_CHARS = 64;

/**
 * Compiles a checker from the rules of a DTO class. It accepts and refuses what class-validator's own `validate` does, at a
 * fraction of the cost. It refuses unknown keys.
 * @returns a function that returns the payload itself, typed, or throws {@link DomainError} `invalid_payload`.
 */
export function compilePayload<T extends object>(dto: new () => T): (payload: unknown) => T {
  const properties = propertiesOf(dto);
  return (payload) => {
    if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
      throw invalid(['the payload must be an object']);
    }
    const given = payload as Record<string, unknown>;
    const unknown = Object.keys(given).filter((key) => !properties.has(key));
    const faults = unknown.map((key) => `${key.slice(0, MAX_KEY_CHARS)} is not known here`);
    for (const [name, { rule, optional }] of properties) {
      const value = given[name];
      if (value === undefined && optional) continue;
      if (!rule.check(value)) faults.push(`${name} must be ${rule.expected}`);
    }
    if (faults.length > 0) throw invalid(faults);
    return payload as T;
  };
}

/** The error of a payload with these faults, of which the first ten are named. */
export function invalid(faults: readonly string[]): DomainError {
  const shown = faults.slice(0, MAX_FAULTS);
  return new DomainError('invalid_payload', `${shown.join('; ')}.`, { details: { faults: shown } });
}
