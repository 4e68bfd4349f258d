/** Loaded before each test file: a worker ends with the run, and does not go on alone. */
process.once('disconnect', () => process.exit(1));
