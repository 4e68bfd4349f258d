export * from './errors.js';
export * from './events.js';
export * from './limits.js';
export * from './messages.js';
export * from './streams.js';
export * from './text.js';
