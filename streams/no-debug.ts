/** If DEBUG names ioredis, it writes each command to stderr, including the password of AUTH. Import this before ioredis. */
delete process.env.DEBUG
