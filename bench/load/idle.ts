/** Load of the scenario `idle`: users who connect and say nothing. */
import { serve } from '../harness/rpc.js';
import { arrive, type Person } from './virtual-users.js';

let users: Person[] = [];

async function gather({ url, name, clients }: { url: string; name: string; clients: number }): Promise<void> {
  const userIds = Array.from({ length: clients }, (_, index) => `${name}-${index}`);
  users = users.concat(await arrive({ url, userIds, acks: true, onEvent: () => () => {} }));
}

/** How many connections have ended. */
function lost(): number {
  return users.filter(({ client }) => client.ended !== undefined).length;
}

serve({ gather, lost });
