// An authorization server that nobody here wrote (npm oidc-provider, certified by the OpenID Foundation), with one client
// that gets tokens by its own credentials. First argument: the port. One line on standard output once it listens.
import Provider from "oidc-provider";

const port = Number(process.argv[2]);
const client = (id, how) => ({
  client_id: id,
  client_secret: "a secret+with/odd=characters & more",
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
  token_endpoint_auth_method: how,
  introspection_endpoint_auth_method: how,
  scope: "sms:send",
});
const authority = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client("by-header", "client_secret_basic"), client("by-body", "client_secret_post")],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    revocation: { enabled: true },
  },
  scopes: ["sms:send"],
  ttl: { ClientCredentials: 600 },
});
authority.listen(port, "127.0.0.1", () => console.log("listening"));
