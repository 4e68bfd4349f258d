import type { MigrationInterface } from 'typeorm';
import { Tables1764000000000 } from './1764000000000-tables.js';
import { MessageFunctions1764000000001 } from './1764000000001-message-functions.js';
import { StreamFunctions1764000000002 } from './1764000000002-stream-functions.js';
import { Revocations1764000000003 } from './1764000000003-revocations.js';
import { Users1764000000004 } from './1764000000004-users.js';
import { GatheredReads1764000000005 } from './1764000000005-gathered-reads.js';
import { Prompts1764000000006 } from './1764000000006-prompts.js';
import { LinearBatches1764000000007 } from './1764000000007-linear-batches.js';

/** Every migration, oldest first. */
export const migrations: (new () => MigrationInterface)[] = [
  Tables1764000000000,
  MessageFunctions1764000000001,
  StreamFunctions1764000000002,
  Revocations1764000000003,
  Users1764000000004,
  GatheredReads1764000000005,
  Prompts1764000000006,
  LinearBatches1764000000007,
];
