const TOGETHER_MS = 5 * 60 * 1000;

/**
 * What the thread shows, from top to bottom: the log, then what is being sent, then what is being written. An entry
 * keeps its key while it turns from a pending message or a running answer into a message of the log.
 *
 * @returns entries `{ key, kind: 'person' | 'assistant' | 'day', … }`
 */
export function timeline({ log, outbox, answers, identity }) {
  const me = identity.userId;
  const inLog = log.messages.map((message) => fromMessage(message, me, answers));
  const keys = new Set(inLog.map(({ key }) => key));
  const pending = outbox.entries.map((entry) => fromOutbox(entry, me)).filter(({ key }) => !keys.has(key));
  const writing = answers.shown.map(fromAnswer);
  return withContext([...inLog, ...pending, ...writing]);
}

function fromMessage(message, me, answers) {
  const at = Date.parse(message.createdAt);
  if (message.role === 'assistant') {
    const { id, replyTo, streamId } = message;
    const extras = answers.extrasOf(streamId);
    return { key: `answer/${id}`, kind: 'assistant', id, at, message, extras, replyTo };
  }
  const own = message.senderId === me;
  const key = own && message.clientMessageId ? `own/${message.clientMessageId}` : `message/${message.id}`;
  return {
    key,
    kind: 'person',
    id: message.id,
    at,
    message,
    own,
    senderId: message.senderId,
    text: message.content,
  };
}

function fromOutbox(entry, me) {
  const { clientMessageId, content, createdAt } = entry;
  return {
    key: `own/${clientMessageId}`,
    kind: 'person',
    at: createdAt,
    outbox: entry,
    failure: entry.failure,
    own: true,
    senderId: me,
    text: content,
  };
}

function fromAnswer(answer) {
  const { messageId, startedAt, replyTo } = answer.state;
  return {
    key: `answer/${messageId}`,
    kind: 'assistant',
    id: messageId,
    at: Date.parse(startedAt),
    answer,
    replyTo,
  };
}

/** Adds what depends on the neighbours: days, grouping, and which question an answer is to where that is not plain. */
function withContext(entries) {
  const questions = new Map(
    entries.filter(({ kind }) => kind === 'person').map((entry) => [entry.id, entry]),
  );
  const shown = [];
  let before = null;
  for (const entry of entries) {
    // A conversation that began today needs no line to say so.
    const newDay = !sameDay(before?.at ?? Date.now(), entry.at);
    if (newDay) shown.push({ key: `day/${dayOf(entry.at)}/${entry.key}`, kind: 'day', at: entry.at });
    entry.grouped = !newDay && before !== null && together(before, entry);
    if (before) before.joinedBelow = entry.grouped;
    if (entry.replyTo && before?.id !== entry.replyTo.messageId)
      entry.question = questions.get(entry.replyTo.messageId);
    shown.push(entry);
    before = entry;
  }
  if (before) before.isLast = true;
  return shown;
}

function together(before, entry) {
  const samePerson =
    before.kind === 'person' && entry.kind === 'person' && before.senderId === entry.senderId;
  return samePerson && entry.at - before.at < TOGETHER_MS;
}

function dayOf(time) {
  return new Date(time).toDateString();
}

function sameDay(a, b) {
  return dayOf(a) === dayOf(b);
}
