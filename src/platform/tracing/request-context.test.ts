import { expect, test } from 'vitest';
import { traceIdOf, contextFromHeaders } from './request-context.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = `00-${TRACE}-00f067aa0ba902b7-01`;
const MADE = /^[\da-f]{32}$/;

test('The id is the trace of a traceparent, also where an x-request-id stands beside it', () => {
  const context = contextFromHeaders({ traceparent: PARENT, 'x-request-id': 'other' });
  expect([context.id, context.traceparent]).toEqual([TRACE, PARENT]);
});

test('The id is the x-request-id where there is no traceparent, and has a trace of its own', () => {
  const context = contextFromHeaders({ 'x-request-id': 'Req_1.a-b' });
  expect(context.id).toBe('Req_1.a-b');
  expect(context.traceparent).toBe(`00-${traceIdOf('Req_1.a-b')}-${context.traceparent.slice(36, 52)}-01`);
});

test.each([
  ['an id too long', { 'x-request-id': 'x'.repeat(65) }],
  ['an empty id', { 'x-request-id': '' }],
  ['a line end', { 'x-request-id': 'a\nlevel=fatal' }],
  ['a quote', { 'x-request-id': 'a"b' }],
  ['a letter beyond ASCII', { 'x-request-id': 'ä' }],
  ['a trace of zeros', { traceparent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01` }],
  ['a span of zeros', { traceparent: `00-${TRACE}-${'0'.repeat(16)}-01` }],
  ['the version ff', { traceparent: PARENT.replace('00', 'ff') }],
  ['capitals', { traceparent: PARENT.toUpperCase() }],
  ['two of them', { traceparent: `${PARENT}, ${PARENT}` }],
  ['megabytes', { traceparent: PARENT.repeat(20_000) }],
])('What is not well-formed is not taken over: %s (P11)', (_, headers) => {
  const context = contextFromHeaders(headers);
  expect(context.id).toMatch(MADE);
  expect(context.id).not.toBe(TRACE);
});

test('The trace of an id that can be a trace is the id itself', () => {
  expect(traceIdOf(TRACE)).toBe(TRACE);
  expect(traceIdOf('0190F3A4-7b1c-7d2e-8f3a-4b5c6d7e8f90')).toBe('0190f3a47b1c7d2e8f3a4b5c6d7e8f90');
  expect(traceIdOf('x')).toMatch(MADE);
});
