import { describe, expect, it } from 'vitest';
import { DomainError } from '../common/domain-error.js';
import { authorize, type AccessFacts, type Action } from './policy.js';
import type { Principal } from './principal.js';

const USER: Principal = {
  ...{ userId: 'ann', roles: [], isAdmin: false, guest: false, expiresAt: Infinity },
};
const ADMIN: Principal = { ...USER, userId: 'root', roles: ['admin'], isAdmin: true };
const OTHER = { userId: 'bob', askerId: 'bob' };

/** Who asks, and the facts about the object: of another user, unless the name says otherwise. */
const ACTORS = {
  asker: [USER, { ...OTHER, role: 'member', askerId: 'ann' }],
  owner: [USER, { ...OTHER, role: 'owner' }],
  member: [USER, { ...OTHER, role: 'member' }],
  /** Asked, and has been removed from the conversation. */
  removed: [USER, { ...OTHER, role: null, askerId: 'ann' }],
  admin: [ADMIN, { ...OTHER, role: null }],
  stranger: [USER, { ...OTHER, role: null, isAcquainted: false }],
  self: [USER, { ...OTHER, userId: 'ann' }],
  acquaintance: [USER, { ...OTHER, isAcquainted: true }],
} as const satisfies Record<string, readonly [Principal, AccessFacts]>;
type Actor = keyof typeof ACTORS;

const MEMBERS: readonly Actor[] = ['asker', 'owner', 'member'];

/** The actors who may do each action. Written out, not derived: the policy is held to it. */
const ALLOWED: Readonly<Record<Action, readonly Actor[]>> = {
  'conversation:read': MEMBERS,
  'message:send': MEMBERS,
  'conversation:change': ['owner'],
  'conversation:delete': ['owner'],
  'member:add': ['owner'],
  'member:remove': ['owner', 'self'],
  'stream:read': MEMBERS,
  'stream:see': [...MEMBERS, 'admin'],
  'stream:control': ['asker', 'owner', 'admin'],
  'conversation:observe': [...MEMBERS, 'admin'],
  'presence:see': ['self', 'acquaintance', 'admin'],
  'presence:watch': ['self', 'acquaintance'],
  'presence:list': ['admin'],
  'connections:see': ['self', 'admin'],
  'connection:close': ['self', 'admin'],
  'queue:see': ['self', 'admin'],
  'queue:clear': ['self', 'admin'],
  'streams:observe': ['admin'],
  'figures:see': ['admin'],
  'system:send': ['admin'],
  'token:revoke': ['admin'],
};

/** Actions that everybody knows to exist: others get `forbidden`. The objects of all others are hidden. */
const OPEN: readonly Action[] = [
  'presence:list',
  'streams:observe',
  'figures:see',
  'system:send',
  'token:revoke',
];

function outcome(actor: Actor, action: Action): string {
  try {
    authorize(...([ACTORS[actor][0], action, ACTORS[actor][1]] as const));
    return 'yes';
  } catch (error) {
    return error instanceof DomainError ? error.code : String(error);
  }
}

function expected(actor: Actor, action: Action): string {
  if (ALLOWED[action].includes(actor)) return 'yes';
  return OPEN.includes(action) || MEMBERS.includes(actor) ? 'forbidden' : 'not_found';
}

const actions = Object.keys(ALLOWED) as Action[];
const actors = Object.keys(ACTORS) as Actor[];

describe('The policy decides by what the principal is now (P10)', () => {
  it.each(actions)('%s', (action) => {
    const all = (of: (actor: Actor, action: Action) => string) =>
      Object.fromEntries(actors.map((actor) => [actor, of(actor, action)]));
    expect(all(outcome)).toEqual(all(expected));
  });

  it('a removed asker may no more than a stranger', () => {
    const allows = (actor: Actor) => actions.filter((action) => outcome(actor, action) === 'yes');
    expect(allows('removed')).toEqual([]);
    expect(allows('stranger')).toEqual([]);
  });
});
