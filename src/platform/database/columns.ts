import { getMetadataArgsStorage } from 'typeorm';

/** A column of a table and the entity's property that it fills. */
export interface EntityColumn {
  property: string;
  column: string;
  isTime: boolean;
}

type SnakeCase<Text extends string> = Text extends `${infer Head}${infer Tail}`
  ? `${Head extends Lowercase<Head> ? Head : `_${Lowercase<Head>}`}${SnakeCase<Tail>}`
  : Text;

/**
 * The row of a statement that returns columns of an entity under their own names.
 *
 * @example
 * type NodeRow = RowOf<NodeEntity, 'id' | 'leaseUntil'>; // { id: string; lease_until: Date }
 */
export type RowOf<Entity, Property extends keyof Entity & string> = {
  [Name in Property as SnakeCase<Name>]: Entity[Name];
};

/** Returns the columns of an entity, in the order of its properties, without those of the `omitted` properties. */
export function columnsOf(entity: object, omitted: readonly string[] = []): EntityColumn[] {
  return getMetadataArgsStorage()
    .columns.filter(({ target, propertyName }) => target === entity && !omitted.includes(propertyName))
    .map(({ propertyName: property, options }) => ({
      property,
      column: options.name ?? property,
      isTime: options.type === 'timestamptz',
    }));
}

/**
 * Returns a select list of `columns`, of a table or alias: rows get the entity's property names.
 *
 * @example
 * selectList('n', columnsOf(NodeEntity)); // n.id as "id", n.lease_until as "leaseUntil"
 */
export function selectList(alias: string, columns: readonly EntityColumn[]): string {
  return columns.map(({ property, column }) => `${alias}.${column} as "${property}"`).join(', ');
}
