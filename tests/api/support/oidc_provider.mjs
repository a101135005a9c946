// A real OpenID Connect provider for the tests: the certified npm package `oidc-provider`, on a free port of 127.0.0.1.
// oidc_provider.rs starts it and logs in. The crate provider-sim simulates providers that misbehave.
//
//   OIDC_PROVIDER=<folder>/node_modules node oidc_provider.mjs <client id> <client secret> <redirect URI>
//
// The first line of standard output is the issuer. The process ends when its standard input closes, so it never outlives its test.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [clientId, clientSecret, redirectUri] = process.argv.slice(2);
const installed = createRequire(`${process.env.OIDC_PROVIDER}/`).resolve('oidc-provider');
// The package writes notices with `console.info` to standard output, where the issuer must come first.
console.info = console.error;
const { default: Provider } = await import(pathToFileURL(installed));

const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  clients: [{
    client_id: clientId,
    client_secret: clientSecret,
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  }],
  pkce: { required: () => true },
  scopes: ['openid', 'offline_access'],
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'preferred_username'],
  },
  // As on large platforms, the account's claims are in the ID token, too.
  conformIdTokenClaims: false,
  // The login form accepts any name: an account exists for each one.
  findAccount: (_context, login) => ({
    accountId: login,
    claims: () => ({
      sub: login,
      email: `${login}@example.com`,
      email_verified: true,
      name: login,
      preferred_username: login,
    }),
  }),
  features: {
    devInteractions: { enabled: true },
    revocation: { enabled: true },
  },
  // Clients get refresh tokens whether they request them or not. The tokens outlive the session at the provider.
  issueRefreshToken: (_context, client) => client.grantTypeAllowed('refresh_token'),
  expiresWithSession: () => false,
  rotateRefreshToken: true,
  // The package's default keys are public, so each process generates its own.
  jwks: { keys: [generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
});
server.on('request', provider.callback());

process.stdin.resume().on('end', () => process.exit());
console.log(issuer);
