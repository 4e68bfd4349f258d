/** A JSON Schema (draft 7), as AsyncAPI 3.0 uses it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** The schema of an object with known keys. */
export interface ObjectSchema extends JsonSchema {
  type: 'object';
  properties: Readonly<Record<string, JsonSchema>>;
  required: readonly string[];
}

interface Optional {
  optional: JsonSchema;
}

/** A schema for every key of `T`, optional exactly if the key is. Missing and extra keys do not compile. */
type Properties<T> = {
  [K in keyof T]-?: object extends Pick<T, K> ? Optional : JsonSchema & { optional?: never };
};

/** Returns the schema of an object of the protocol's type `T`. Further keys are allowed: clients ignore unknown ones. */
export function objectSchema<T>(properties: Properties<T>): ObjectSchema {
  const entries = Object.entries<JsonSchema | Optional>(properties);
  return {
    type: 'object',
    properties: Object.fromEntries(
      entries.map(([name, given]) => [name, isOptional(given) ? given.optional : given]),
    ),
    required: entries.filter(([, given]) => !isOptional(given)).map(([name]) => name),
  };
}

/** Returns the schema of an object with the keys of both. */
export function extend(base: ObjectSchema, more: ObjectSchema): ObjectSchema {
  return {
    type: 'object',
    properties: { ...base.properties, ...more.properties },
    required: [...base.required, ...more.required],
  };
}

/** Marks the schema of an optional key. */
export function optional(schema: JsonSchema): Optional {
  return { optional: schema };
}

/** Returns the schema of a closed union of words. A missing word does not compile. */
export function enumOf<T extends string>(words: Record<T, true>): JsonSchema {
  return { type: 'string', enum: Object.keys(words) };
}

/** Returns a schema that also allows null. */
export function nullable(schema: JsonSchema): JsonSchema {
  return { anyOf: [schema, { type: 'null' }] };
}

/** Returns a reference to a named object of the document. */
export function ref(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

export function arrayOf(items: JsonSchema): JsonSchema {
  return { type: 'array', items };
}

/** Returns the schema of a page of a list, with its next cursor (protocol section 5.1). */
export function pageOf(items: JsonSchema): JsonSchema {
  return objectSchema<{ items: unknown[]; nextCursor?: string }>({
    items: arrayOf(items),
    nextCursor: optional(says(TEXT, 'Where the next page begins; not there on the last one.')),
  });
}

export function says(schema: JsonSchema, description: string): JsonSchema {
  return { ...schema, description };
}

function isOptional(given: JsonSchema | Optional): given is Optional {
  return typeof given.optional === 'object';
}

export const TEXT: JsonSchema = { type: 'string' };
export const FLAG: JsonSchema = { type: 'boolean' };
export const NUMBER: JsonSchema = { type: 'number' };
export const COUNT: JsonSchema = { type: 'integer', minimum: 0 };
export const TIME: JsonSchema = { type: 'string', format: 'date-time' };
export const UUID: JsonSchema = { type: 'string', format: 'uuid' };
/** An object whose keys clients choose. */
export const FREE: JsonSchema = { type: 'object' };
