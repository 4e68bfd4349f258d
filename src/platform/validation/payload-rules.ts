import type { JsonSchema } from '../../protocol/schemas/schema.js';

/** The rule of one property of a DTO class: the only source of its check, its error message and its JSON Schema. */
export interface PropertyRule {
  check: (value: unknown) => boolean;
  /** The end of the sentence `<property> must be …`. */
  expected: string;
  /** The rule as far as JSON Schema can express it. It accepts everything that `check` accepts. */
  schema: JsonSchema;
}

interface Property {
  rule?: PropertyRule;
  optional?: boolean;
  /** Keys of the JSON Schema that describe the property or win over the rule's: description, default. */
  notes?: JsonSchema;
}

type CompleteProperty = Property & { rule: PropertyRule };

/** Prototype of a DTO class → the properties that this class itself declares. */
const declared = new WeakMap<object, Map<string, Property>>();

/** Records what a decorator says of a property. @throws {Error} for a second rule of one property. */
export function record(prototype: object, name: string, given: Property): void {
  const properties = declared.get(prototype) ?? new Map<string, Property>();
  declared.set(prototype, properties);
  const known = properties.get(name) ?? {};
  if (known.rule && given.rule) throw new Error(`${prototype.constructor.name}.${name} has two rules`);
  properties.set(name, { ...known, ...given, notes: { ...known.notes, ...given.notes } });
}

/** Returns all properties of a DTO class, its own before inherited ones. @throws {Error} for a property without a rule. */
export function propertiesOf(dto: new () => object): ReadonlyMap<string, CompleteProperty> {
  const all = new Map<string, CompleteProperty>();
  for (let level: unknown = dto.prototype; level instanceof Object; level = Object.getPrototypeOf(level)) {
    for (const [name, property] of declared.get(level) ?? []) {
      if (all.has(name)) continue;
      if (!property.rule) throw new Error(`${dto.name}.${name} has no rule`);
      all.set(name, { ...property, rule: property.rule });
    }
  }
  return all;
}

/**
 * Returns the JSON Schema of a DTO class. It may accept what the check refuses (depth, bytes, control characters), never
 * the other way round.
 */
export function schemaOf(dto: new () => object): JsonSchema {
  const entries = [...propertiesOf(dto)];
  return {
    type: 'object',
    properties: Object.fromEntries(
      entries.map(([name, { rule, notes }]) => [name, { ...rule.schema, ...notes }]),
    ),
    required: entries.filter(([, { optional }]) => !optional).map(([name]) => name),
    additionalProperties: false,
  };
}
