import 'reflect-metadata';
import { getMetadataStorage } from 'class-validator';
import type { ValidationMetadata } from 'class-validator/types/metadata/ValidationMetadata.js';
import type { JsonSchema } from '../../protocol/schemas/schema.js';

/** What the rules of `validation.ts` leave in class-validator's `context`. */
export interface SchemaContext {
  schema: JsonSchema;
}

/** Where `@nestjs/swagger` keeps what `@ApiProperty` was given. */
const SWAGGER_PROPERTY = 'swagger/apiModelProperties';

/** class-validator's own rules that DTOs use. */
const OWN_RULES: Readonly<Record<string, (constraints: readonly unknown[]) => JsonSchema>> = {
  isString: () => ({ type: 'string' }),
  isBoolean: () => ({ type: 'boolean' }),
  isUuid: () => ({ type: 'string', format: 'uuid' }),
  isIn: ([values]) => ({ enum: values }),
};

/**
 * The JSON Schema of a DTO class, from the same decorators that its payloads are checked by. It may let through what a check
 * refuses (depth, bytes, control characters), never the other way round.
 * @throws {Error} for a rule that it does not know.
 */
export function schemaOf(dto: new () => object): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  const optional = new Set<string>();
  for (const entry of getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false)) {
    const name = entry.propertyName;
    if (entry.type === 'conditionalValidation') optional.add(name);
    else properties[name] = { ...properties[name], ...schemaOfRule(dto.name, entry), ...notes(dto, name) };
  }
  return {
    type: 'object',
    properties,
    required: Object.keys(properties).filter((name) => !optional.has(name)),
    additionalProperties: false,
  };
}

function schemaOfRule(
  dtoName: string,
  { name, propertyName, context, constraints }: ValidationMetadata,
): JsonSchema {
  if (context) return (context as SchemaContext).schema;
  const own = OWN_RULES[name ?? ''];
  if (!own) throw new Error(`${dtoName}.${propertyName}: the rule ${name} has no JSON Schema`);
  return own((constraints as unknown[] | undefined) ?? []);
}

function notes(dto: new () => object, property: string): JsonSchema {
  const given = Reflect.getMetadata(SWAGGER_PROPERTY, dto.prototype as object, property) as
    { description?: string; default?: unknown } | undefined;
  return {
    ...(given?.description !== undefined && { description: given.description }),
    ...(given?.default !== undefined && { default: given.default }),
  };
}
