// An OpenID provider that nobody here wrote: npm's `oidc-provider`, all in memory. Prints its issuer, then serves until it is ended.
// The page at /interaction takes any user name as the subject, and any password.
//
//   client `service`, secret `service-secret`, client_secret_basic: client_credentials, introspection, revocation, DPoP
//   client `gateway`, secret `gateway-secret`, client_secret_basic: what the gateway itself asks as
//   resource `urn:shop` (parameter `resource`): access tokens are JWTs of the audience `shop`, else opaque
//
//   POST /control/clients/ID   adds a client with the metadata in the body: redirect_uris, for example
//   POST /control/rotate       a new signing key; {"keep": false} removes those before from the key set
//   POST /control/down, /up    every other request fails with 503, until /up
//   GET  /control/requests     how often each path was asked for
import http from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import Provider from 'oidc-provider';

const stored = new Map(); // shared by the providers before and after a rotation

class MemoryAdapter {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload) { stored.set(this.key(id), payload); }
  async find(id) { return stored.get(this.key(id)); }
  async findByUid(uid) { return this.first(value => value.uid === uid); }
  async findByUserCode(code) { return this.first(value => value.userCode === code); }
  async consume(id) { const value = stored.get(this.key(id)); if (value) value.consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { stored.delete(this.key(id)); }
  async revokeByGrantId(grant) { for (const [key, value] of stored) if (value.grantId === grant) stored.delete(key); }
  first(test) { for (const [key, value] of stored) if (key.startsWith(this.model + ':') && test(value)) return value; }
}

const keysOf = () => [
  { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }), alg: 'ES256' },
  { ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), alg: 'RS256' },
].map(key => ({ ...key, use: 'sig', kid: randomUUID() }));

let keys = keysOf();
let down = false;
const requests = {};

const configuration = () => ({
  adapter: MemoryAdapter,
  jwks: { keys },
  cookies: { keys: ['tests only'] },
  clients: ['service', 'gateway'].map(id => ({
    client_id: id,
    client_secret: `${id}-secret`,
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
  })),
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  scopes: ['openid', 'offline_access', 'profile', 'email', 'orders.read', 'orders.write'],
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: id, email: `${id}@example.com`, email_verified: true }),
  }),
  issueRefreshToken: (_, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('openid'),
  ttl: { AccessToken: 600, ClientCredentials: 600, IdToken: 600, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600, AuthorizationCode: 60 },
  fetch: (url, { dispatcher, ...options }) => fetch(url, options), // its own does not connect to loopback
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    userinfo: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    backchannelLogout: { enabled: true },
    dPoP: { enabled: true, allowReplay: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        audience: 'shop',
        scope: 'orders.read orders.write',
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});

const bodyOf = async request => {
  let text = '';
  for await (const piece of request) text += piece;
  return text ? JSON.parse(text) : {};
};

const control = async (request, response, path) => {
  const [action, id] = path.split('/');
  if (action === 'clients') await new MemoryAdapter('Client').upsert(id, { client_id: id, ...await bodyOf(request) });
  if (action === 'rotate') {
    keys = (await bodyOf(request)).keep === false ? keysOf() : [...keysOf(), ...keys];
    serve = create();
  }
  if (action === 'down' || action === 'up') down = action === 'down';
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(requests));
};

let serve;
let create;

const server = http.createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://provider');
  if (pathname.startsWith('/control/')) return control(request, response, pathname.slice('/control/'.length));
  requests[pathname] = (requests[pathname] ?? 0) + 1;
  return down ? response.writeHead(503).end() : serve(request, response);
});

console.warn = console.info = () => {}; // its remarks on settings that are for development
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  create = () => new Provider(issuer, configuration()).callback();
  serve = create();
  console.log(issuer);
});
