import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import type { Server } from 'node:http';
import { withTimeout } from '../common/deadline.js';
import type { ProblemFilter } from '../platform/http/problem.filter.js';
import { ConnectionDrainer } from '../gateway/lifecycle/connection-drainer.js';
import { Draining, serverDraining } from '../platform/lifecycle/draining.js';
import { NodeLease } from '../streaming/ownership/node-lease.js';

interface Step {
  /** Subject of the sentence that says what did not end. */
  name: string;
  run: () => Promise<unknown>;
}

interface Ends {
  stopTracing: () => Promise<void>;
  /** Idempotent; `urgent`: within a few seconds. */
  stopDatabase: (urgent: boolean) => Promise<void>;
}

/**
 * Leaves well (P12): stops listening, so that another process can take the port at once; sends the clients away; ends or
 * hands over the answers; flushes; ends the database. @throws with a sentence that names what did not end in time.
 */
export async function leave(app: NestExpressApplication, { stopTracing, stopDatabase }: Ends): Promise<void> {
  const draining = app.get(Draining);
  draining.begin();
  const server: Server = app.getHttpServer();
  server.close();
  const steps: Step[] = [
    {
      name: 'The connections of clients',
      run: () => app.get(ConnectionDrainer, { strict: false }).drainAll(),
    },
    { name: 'The running answers', run: () => app.get(NodeLease, { strict: false }).leave() },
    { name: 'What was still to be written', run: () => app.close() },
    { name: 'What was still to be traced', run: stopTracing },
    { name: 'The database', run: () => stopDatabase(false) },
  ];
  const faults = await inTime(steps, draining.graceLeftMs);
  if (faults.length === 0) return;
  // It may not have come to its step. It must not be left running.
  await stopDatabase(true);
  throw new Error(faults.join(' '));
}

/** While the process leaves: nothing new is begun over HTTP, and no connection is kept for a next request. */
export function refuseWhileDraining(draining: Draining, problems: ProblemFilter) {
  return ({ method }: Request, response: Response, next: NextFunction): void => {
    if (!draining.active) return next();
    response.setHeader('Connection', 'close');
    if (method === 'GET' || method === 'HEAD') next();
    else problems.respond(serverDraining(), response);
  };
}

/** Takes the steps one after the other, the later ones also when an earlier one fails. Returns what failed, or did not end. */
async function inTime(steps: readonly Step[], graceMs: number): Promise<string[]> {
  const faults: string[] = [];
  let current = '';
  const all = async (): Promise<void> => {
    for (const { name, run } of steps) {
      current = name;
      await run().catch((error: unknown) => faults.push(`${name}: ${String(error)}`));
    }
  };
  if (!(await withTimeout(all(), graceMs))) {
    faults.push(`${current} did not end within SHUTDOWN_GRACE_MS.`);
  }
  return faults;
}
