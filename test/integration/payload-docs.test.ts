import 'reflect-metadata';
import { expect, test } from 'vitest';
import { CLIENT_EVENTS } from '../../src/gateway/asyncapi/client-events.js';
import { propertiesOf } from '../../src/platform/validation/payload-rules.js';
import { readPage, rowsOf } from '../support/pages.js';

const page = await readPage('docs/protocol.md');
const sections = page.split(/^#{1,4} /m);

const documented = Object.entries(CLIENT_EVENTS).flatMap(([event, { dto }]) =>
  dto ? [[event, dto as new () => object] as const] : [],
);

test.each(documented)('docs/protocol.md has the payload of %s as its DTO has it', (event, dto) => {
  const fields = [...propertiesOf(dto)].map(([name, { optional }]) => (optional ? `${name}?` : name));
  expect(payloadOf(event).toSorted()).toEqual(fields.toSorted());
});

test('every event but ping has a DTO', () => {
  expect(documented).toHaveLength(Object.keys(CLIENT_EVENTS).length - 1);
  expect(CLIENT_EVENTS.ping.dto).toBeNull();
});

/** The fields of an event's payload in its section: from the table headed `payload`, else from `Payload { … }`. */
function payloadOf(event: string): string[] {
  const section = sections.find((text) => new RegExp(`^4\\.2\\.\\d+ ${event}\\n`).test(text)) ?? '';
  const inline = /^Payload `\{ ([^}]*) \}`/m.exec(section)?.[1];
  if (inline !== undefined) return inline.split(', ');
  const rows = rowsOf(section);
  const start = rows.findIndex(([first]) => first === 'payload');
  if (start < 0) return [];
  const names: string[] = [];
  for (const [first = ''] of rows.slice(start + 2)) {
    if (!first.startsWith('`')) break;
    names.push(...first.replaceAll('`', '').split(', '));
  }
  return names;
}
