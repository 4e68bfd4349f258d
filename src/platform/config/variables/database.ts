import { integer, optionalText, optionalUrl, text } from '../fields.js';

/** The database and the data folder. */
export const DATABASE = {
  DATABASE_URL: optionalUrl(
    ['postgres:', 'postgresql:'],
    'Your own PostgreSQL 15 or later, such as `postgres://user:password@host:5432/name`. Without it an embedded one is started.',
  ),
  DATA_DIR: text('./data', 'Folder of the embedded database, and of the token secret if one was made here.'),
  DATABASE_POOL_SIZE: integer(
    10,
    'Pool size for reads and rare writes, 2 to 1000. A few more connections write messages and chunks.',
    {
      min: 2,
      max: 1000,
    },
  ),
  REDIS_URL: optionalText('Reserved: setting it ends the start with a sentence.', () => {
    throw new Error('is not supported yet: Streamgate runs as one node; leave it unset');
  }),
};
