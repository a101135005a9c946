// The configuration: addresses from the environment variables that Vitrine also reads, and fixed values.
const required = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} must be set`);
  return value;
};

const [host, port] = required('LISTEN_ADDRESS').split(':');

export const config = {
  host,
  port: Number(port),
  databaseUrl: required('DATABASE_URL'),
  redisUrl: required('REDIS_URL'),
  databaseConnections: 10,
  version: '0.1.0',
};
