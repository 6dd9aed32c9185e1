/** Where DEBUG names ioredis, it writes each command to stderr, with the password that logs it in. To be imported before it. */
delete process.env.DEBUG
