import { getFromContainer, getMetadataStorage, type ValidatorConstraintInterface } from 'class-validator';
import type { ValidationMetadata } from 'class-validator/types/metadata/ValidationMetadata.js';
import { DomainError } from '../../common/domain-error.js';

type Dto<T> = new () => T;
type Check = (payload: Record<string, unknown>) => string | null;

/**
 * Compiles a checker from a DTO class's class-validator decorators, which stay the one description of the payload: the
 * same rules as class-validator's own `validate`, at a fraction of its cost. Unknown keys are refused.
 * @returns a function that gives the payload back, typed, or throws {@link DomainError} `invalid_payload`.
 */
export function compilePayload<T extends object>(dto: Dto<T>): (payload: unknown) => T {
  const rules = rulesOf(dto);
  return (payload) => {
    if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
      throw invalid(['the payload must be an object']);
    }
    const given = payload as Record<string, unknown>;
    const unknown = Object.keys(given).filter((key) => !rules.has(key));
    const faults = unknown.map((key) => `${key.slice(0, 64)} is not known here`);
    for (const checks of rules.values()) {
      const fault = firstFault(checks, given);
      if (fault !== null) faults.push(fault);
    }
    if (faults.length > 0) throw invalid(faults);
    return payload as T;
  };
}

interface PropertyRules {
  /** Whether the property is checked at all: `ValidateIf`. */
  applies: (payload: Record<string, unknown>) => boolean;
  checks: Check[];
}

function rulesOf(dto: Dto<object>): Map<string, PropertyRules> {
  const metadata = getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false);
  const rules = new Map<string, PropertyRules>();
  for (const entry of metadata) {
    const property = entry.propertyName;
    const rule = rules.get(property) ?? { applies: () => true, checks: [] };
    rules.set(property, rule);
    if (entry.type === 'conditionalValidation') {
      const condition = entry.constraints[0] as (object: unknown, value: unknown) => boolean;
      rule.applies = (payload) => condition(payload, payload[property]);
    } else if (entry.type === 'customValidation' && entry.constraintCls) {
      const constraint = getFromContainer(entry.constraintCls as Dto<ValidatorConstraintInterface>);
      rule.checks.push(toCheck(constraint, entry));
    } else {
      throw new Error(`${dto.name}.${property}: a rule of type ${entry.type} cannot be compiled`);
    }
  }
  return rules;
}

function toCheck(constraint: ValidatorConstraintInterface, entry: ValidationMetadata): Check {
  const { propertyName: property, target, message: ownMessage } = entry;
  const constraints = (entry.constraints as unknown[] | undefined) ?? [];
  const targetName = typeof target === 'string' ? target : target.name;
  return (payload) => {
    const value = payload[property];
    const args = { property, value, targetName, object: payload, constraints };
    if (constraint.validate(value, args) === true) return null;
    const given = typeof ownMessage === 'function' ? ownMessage(args) : ownMessage;
    const message = given || constraint.defaultMessage?.(args) || `${property} is not valid`;
    return message.replaceAll('$property', property).replaceAll('$constraint1', String(constraints[0]));
  };
}

function firstFault({ applies, checks }: PropertyRules, payload: Record<string, unknown>): string | null {
  if (!applies(payload)) return null;
  for (const check of checks) {
    const fault = check(payload);
    if (fault !== null) return fault;
  }
  return null;
}

/** The error of a payload with these faults. */
export function invalid(faults: readonly string[]): DomainError {
  const shown = faults.slice(0, 10);
  return new DomainError('invalid_payload', `${shown.join('; ')}.`, { details: { faults: shown } });
}
