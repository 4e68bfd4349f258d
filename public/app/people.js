/** What a user is called: the given name, or one made of the id. */
export function nameOf(userId, name) {
  if (name?.trim()) return name.trim();
  // An id is base64url: its other two signs say nothing.
  const tail = (userId ?? '').replace(/^.*:|[-_]/gu, '').slice(0, 4);
  return tail ? `Guest ${tail}` : 'Guest';
}

/** First letter or sign of a name, as a person sees it. */
export function initialOf(name) {
  const first = name.startsWith('Guest ') ? name.slice(6) : name;
  return (Array.from(first)[0] ?? '?').toUpperCase();
}

/** One of eight colours, always the same for a user. */
export function hueOf(userId) {
  let sum = 0;
  for (const letter of userId ?? '') sum = (sum * 31 + letter.codePointAt(0)) % 9973;
  return sum % 8;
}

/** Whether somebody else spoke whose name is not known yet: a look at the members may tell it. */
export function lacksName(messages, { members, identity }) {
  return messages.some(
    ({ role, senderId }) => role === 'user' && senderId !== identity.userId && !members.get(senderId)?.name,
  );
}
